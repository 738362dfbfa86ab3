# Published: 38.13 average mAP (tIoU 0.5:0.05:0.95, CUHK scores).
_base_ = "adatad_videomae-b_actionformer_192x4-160_15e_activitynet-rgb.py"
model = dict(backbone=dict(frozen=False, adapter=None), projection=dict(input_dropout=0.2))
optim_wrapper = dict(
    paramwise_cfg=dict(backbone=dict(lr=1e-5, weight_decay=0.05, decay_all=True)),
)
