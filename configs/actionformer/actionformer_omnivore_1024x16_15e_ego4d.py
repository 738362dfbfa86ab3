# Published: 18.20 average mAP (tIoU 0.1:0.1:0.5).
_base_ = [
    "../_base_/models/actionformer_feature_ego4d.py",
    "../_base_/datasets/ego4d_omnivore.py",
    "../_base_/schedules/adamw_feature_15e.py",
    "../_base_/default_runtime.py",
]
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.9)))
test_evaluator = val_evaluator
