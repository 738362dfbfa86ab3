# Published: 34.64 average mAP (tIoU 0.5:0.05:0.95) in TadTR's own setting, whose code for
# ActivityNet is not public; this is LTP's setting.
_base_ = [
    "../_base_/models/tadtr_activitynet.py",
    "../_base_/datasets/activitynet_tsn.py",
    "../_base_/datasets/activitynet_queries.py",
    "../_base_/schedules/adamw_deformable_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(projection=dict(in_channels=400))
train_dataloader = dict(
    dataset=dict(window_size=192, pipeline=_base_.feature_pipeline, min_coverage=0)
)
val_dataloader = dict(dataset=dict(window_size=192))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
