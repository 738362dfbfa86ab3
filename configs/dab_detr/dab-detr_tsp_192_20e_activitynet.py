# Published: 32.83 average mAP (tIoU 0.5:0.05:0.95; 50.74 at 0.5, 32.89 at 0.75, 7.86 at 0.95), as
# reproduced in LTP with CUHK's first class.
_base_ = [
    "../_base_/models/dab-detr_activitynet.py",
    "../_base_/datasets/activitynet_tsp.py",
    "../_base_/datasets/activitynet_queries.py",
    "../_base_/schedules/adamw_query_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(dataset=dict(pipeline=_base_.feature_pipeline, min_coverage=0))
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
