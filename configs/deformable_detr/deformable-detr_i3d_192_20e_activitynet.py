# Published: 33.27 average mAP (tIoU 0.5:0.05:0.95; 50.05 at 0.5, 33.44 at 0.75, 9.81 at 0.95), as
# reproduced in LTP with CUHK's first class.
_base_ = [
    "../_base_/models/deformable-detr_activitynet.py",
    "../_base_/datasets/activitynet_i3d.py",
    "../_base_/datasets/activitynet_queries.py",
    "../_base_/schedules/adamw_deformable_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(projection=dict(in_channels=2048))
train_dataloader = dict(dataset=dict(pipeline=_base_.feature_pipeline, min_coverage=0))
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
