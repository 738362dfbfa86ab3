# Published: 39.37 average mAP (tIoU 0.5:0.05:0.95, CUHK scores), 39.31 in the released code.
_base_ = [
    "../_base_/models/actionformer_activitynet.py",
    "../_base_/models/videomae-h.py",
    "../_base_/datasets/activitynet_192x4-160.py",
    "../_base_/schedules/adamw_activitynet_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=1280))
optim_wrapper = dict(dtype="bfloat16")
