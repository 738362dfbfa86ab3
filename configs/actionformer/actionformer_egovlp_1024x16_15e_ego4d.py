# Published: 20.60 average mAP (tIoU 0.1:0.1:0.5).
_base_ = [
    "../_base_/models/actionformer_feature_ego4d.py",
    "../_base_/datasets/ego4d_egovlp.py",
    "../_base_/schedules/adamw_feature_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(in_channels=256, out_channels=384),
    neck=dict(channels=384),
    head=dict(in_channels=384, feat_channels=384),
)
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.9)))
test_evaluator = val_evaluator
