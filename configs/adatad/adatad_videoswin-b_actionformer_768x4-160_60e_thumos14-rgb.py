# Published: 63.7 average mAP (tIoU 0.3:0.1:0.7); 16.1 GB per video.
# No public code has this adapter.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/videoswin-b.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=1024))
