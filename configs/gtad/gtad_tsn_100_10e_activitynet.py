# Published: 34.09 average mAP (tIoU 0.5:0.05:0.95), 34.18 in the released code of OpenTAD.
_base_ = [
    "../_base_/models/gtad.py",
    "../_base_/datasets/activitynet_tsn.py",
    "../_base_/schedules/adam_gtad_10e.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(dataset=dict(resize_method="roi_align"))
val_dataloader = dict(dataset=dict(resize_method="roi_align"))
test_dataloader = val_dataloader
# OpenTAD names a voting threshold here but suppresses per class, where it never votes.
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.8), voting=None))
test_evaluator = val_evaluator
