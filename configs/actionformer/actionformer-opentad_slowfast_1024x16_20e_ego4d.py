# Published: 16.26 average mAP (tIoU 0.1:0.1:0.5) in OpenTAD.
_base_ = [
    "../_base_/models/actionformer_feature_ego4d-opentad.py",
    "../_base_/datasets/ego4d_slowfast.py",
    "../_base_/schedules/adamw_feature_20e.py",
    "../_base_/default_runtime.py",
]
train_dataloader = dict(dataset=dict(truncation_margin=0))
val_dataloader = dict(dataset=dict(sampling="sliding", window_overlap=0))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(clamp_first=True))
test_evaluator = val_evaluator
