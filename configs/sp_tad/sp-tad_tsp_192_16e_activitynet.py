# Published: no number on features. Every video squeezed into 192 steps of TSP.
_base_ = [
    "../_base_/models/sp-tad_feature_activitynet.py",
    "../_base_/datasets/activitynet_tsp.py",
    "../_base_/datasets/activitynet_sp-tad.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(dataset=dict(pipeline=_base_.feature_pipeline, min_coverage=0))
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
