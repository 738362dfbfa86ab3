# Published: 69.7 average mAP (tIoU 0.3:0.1:0.7); 3.8 GB per video.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/videomae-s.py",
    "../_base_/datasets/thumos14_1536x2-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=384))
optim_wrapper = dict(paramwise_cfg=dict(adapter=dict(lr=2e-4)))
