# Published: 36.03 average mAP (tIoU 0.5:0.05:0.95, CUHK scores); 35.6 in the paper, at 160 steps.
_base_ = [
    "../_base_/models/actionformer_feature_activitynet.py",
    "../_base_/datasets/activitynet_i3d.py",
    "../_base_/schedules/adamw_feature_activitynet_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(projection=dict(in_channels=2048))
resized = dict(resize_offset=0.5, resize_span="features")
train_dataloader = dict(dataset=dict(**resized, crop_resized=True, min_coverage=0))
val_dataloader = dict(dataset=resized)
test_dataloader = val_dataloader
val_evaluator = dict(
    post_processor=dict(
        nms=dict(sigma=0.75),
        voting=dict(iou_weighted=True),
        video_scores=dict(method="sqrt"),
    )
)
test_evaluator = val_evaluator
