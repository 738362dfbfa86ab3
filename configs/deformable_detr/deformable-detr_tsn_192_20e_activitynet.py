# Published: no number for TSN. The setting of deformable-detr_i3d_192_20e_activitynet.py.
_base_ = [
    "../_base_/models/deformable-detr_activitynet.py",
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
