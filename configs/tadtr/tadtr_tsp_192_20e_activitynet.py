# Published: 36.75 average mAP (tIoU 0.5:0.05:0.95; 53.62 at 0.5, 37.52 at 0.75, 10.56 at 0.95) in
# TadTR's own setting, whose code for ActivityNet is not public; this is LTP's setting.
_base_ = [
    "../_base_/models/tadtr_activitynet.py",
    "../_base_/datasets/activitynet_tsp.py",
    "../_base_/datasets/activitynet_queries.py",
    "../_base_/schedules/adamw_deformable_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(dataset=dict(pipeline=_base_.feature_pipeline, min_coverage=0))
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
