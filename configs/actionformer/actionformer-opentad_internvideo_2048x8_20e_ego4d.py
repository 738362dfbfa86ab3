# Published: 27.52 average mAP (tIoU 0.1:0.1:0.5) in OpenTAD.
_base_ = [
    "../_base_/models/actionformer_feature_ego4d-opentad.py",
    "../_base_/datasets/ego4d_internvideo.py",
    "../_base_/schedules/adamw_feature_20e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(
        in_channels=1024,
        arch=(2, 2, 9),
        window=[17] * 7 + [-1] * 3,
        max_seq_len=2048,
    ),
    neck=dict(num_levels=10),
    head=dict(point_generator=dict(num_levels=10, overlapping=True)),
)
# OpenTAD counts times from frame 4 here, half a stride, where the middle of the clip is frame 8.
train_dataloader = dict(dataset=dict(truncation_margin=0, clip_frames=8))
val_dataloader = dict(dataset=dict(sampling="sliding", window_overlap=0, clip_frames=8))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(clamp_first=True))
test_evaluator = val_evaluator
