# Published: 22.09 average mAP (tIoU 0.1:0.1:0.5).
# SlowFast, Omnivore and EgoVLP, each with a projection of its own; 7 levels, 1024 channels.
_base_ = [
    "../_base_/models/actionformer_feature_ego4d.py",
    "../_base_/datasets/ego4d_three-features.py",
    "../_base_/schedules/adamw_feature_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(
        in_channels=[2304, 1536, 256],
        arch=(2, 2, 6),
        out_channels=[384, 384, 256],
        num_heads=16,
    ),
    neck=dict(num_levels=7, channels=1024),
    head=dict(
        in_channels=1024,
        feat_channels=1024,
        point_generator=dict(num_levels=7, overlapping=True),
    ),
)
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.9)))
test_evaluator = val_evaluator
