# Published: 66.0 average mAP (tIoU 0.3:0.1:0.7); 4.3 GB per video.
# The paper's appendix says 66.1 in the text. No public code has this adapter.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=2304))
