# Published: 74.4 average mAP (tIoU 0.3:0.1:0.7), 74.95 in the released code; 19.2 GB per video.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/videomae-h.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=1280))
optim_wrapper = dict(dtype="bfloat16")
