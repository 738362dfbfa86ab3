# Published: 14.89 average mAP (tIoU 0.1:0.1:0.5).
# 7 levels.
_base_ = [
    "../_base_/models/actionformer_feature_ego4d.py",
    "../_base_/datasets/ego4d_slowfast.py",
    "../_base_/schedules/adamw_feature_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(in_channels=2304, arch=(2, 2, 6)),
    neck=dict(num_levels=7),
    head=dict(point_generator=dict(num_levels=7, overlapping=True)),
)
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.9)))
test_evaluator = val_evaluator
