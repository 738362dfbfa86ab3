# Published: 36.40 average mAP (tIoU 0.5:0.05:0.95) in the released code of OpenTAD.
_base_ = [
    "../_base_/models/bmn.py",
    "../_base_/datasets/activitynet_tsp.py",
    "../_base_/schedules/adam_bmn_10e.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    projection=dict(in_channels=512),
    head=dict(num_steps=128, num_durations=128),
)
resized = dict(window_size=128, resize_method="roi_align")
train_dataloader = dict(dataset=resized)
val_dataloader = dict(dataset=resized)
test_dataloader = val_dataloader
val_evaluator = dict(
    post_processor=dict(
        nms=dict(sigma=0.5, min_score=0.01),
        voting=dict(iou_threshold=0.95),
    )
)
test_evaluator = val_evaluator
