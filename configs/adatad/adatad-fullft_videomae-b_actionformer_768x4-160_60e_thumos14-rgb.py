# Published: no number.
# Published on ActivityNet-1.3 only.
_base_ = "adatad_videomae-b_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(backbone=dict(frozen=False))
optim_wrapper = dict(
    paramwise_cfg=dict(backbone=dict(lr=1e-5, weight_decay=0.05, decay_all=True)),
)
