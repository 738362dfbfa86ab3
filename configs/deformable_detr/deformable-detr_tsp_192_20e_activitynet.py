# Published: no number for TSP. The setting of deformable-detr_i3d_192_20e_activitynet.py.
_base_ = [
    "../_base_/models/deformable-detr_activitynet.py",
    "../_base_/datasets/activitynet_tsp.py",
    "../_base_/datasets/activitynet_queries.py",
    "../_base_/schedules/adamw_deformable_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(dataset=dict(pipeline=_base_.feature_pipeline, min_coverage=0))
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
