# Published: 27.01 average mAP (tIoU 0.1:0.1:0.5).
_base_ = "adatad-paper_videomae-l_actionformer_900x8-160_15e_ego4d-rgb.py"
model = dict(backbone=dict(frozen=False, adapter=None))
optim_wrapper = dict(
    paramwise_cfg=dict(backbone=dict(lr=1e-5, weight_decay=0.05, decay_all=True)),
)
