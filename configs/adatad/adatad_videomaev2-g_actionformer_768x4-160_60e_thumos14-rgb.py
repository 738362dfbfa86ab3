# Published: 74.8 average mAP (tIoU 0.3:0.1:0.7), 75.06 in the released code; 29.9 GB per video.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/videomaev2-g.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=1408))
optim_wrapper = dict(dtype="bfloat16")
