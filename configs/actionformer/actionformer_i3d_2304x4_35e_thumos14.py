# Published: 66.83 average mAP (tIoU 0.3:0.1:0.7).
_base_ = [
    "../_base_/models/actionformer_feature.py",
    "../_base_/datasets/thumos14_i3d.py",
    "../_base_/schedules/adamw_feature.py",
    "../_base_/default_runtime.py",
]
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5), max_per_video=200))
test_evaluator = val_evaluator
