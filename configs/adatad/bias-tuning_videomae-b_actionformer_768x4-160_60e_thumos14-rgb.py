# Published: no number.
# A baseline without a published number that we know of; rates as for TIA.
_base_ = "adatad_videomae-b_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(backbone=dict(adapter=dict(_delete_=True, type="BiasTuning")))
# What they open in the backbone itself: TIA's rate too.
optim_wrapper = dict(paramwise_cfg=dict(backbone=dict(lr=1e-4)))
