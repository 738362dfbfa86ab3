# Published: 74.1 average mAP (tIoU 0.3:0.1:0.7).
# The paper does not give the settings of this run: data and schedule are those of ActionFormer's,
# head and suppression those of TriDet on features.
_base_ = [
    "../_base_/models/tridet.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=1024))
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5)))
test_evaluator = val_evaluator
