# Published: 71.9 average mAP (tIoU 0.3:0.1:0.7); 4.9 GB per video.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/videomae-b.py",
    "../_base_/datasets/thumos14_768x4-224.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(
        _base_.encoder,
        type="SideVideoEncoder",
        checkpointing=False,  # the taps are small; `True` lowers memory further
        backbone=dict(_base_.encoder.backbone, drop_path_rate=0.0),
    ),
    projection=dict(in_channels=768, input_dropout=0.1),
)
