# THUMOS14 as TadTR trains: windows of 128 steps that share three quarters with the next one. In
# testing they share a quarter, and only what touches that quarter is suppressed.
_base_ = "thumos14_i3d_windows.py"
train_dataloader = dict(dataset=dict(window_overlap=0.75))
val_evaluator = dict(
    post_processor=dict(
        nms=dict(_delete_=True, type="nms", iou_threshold=0.4, overlaps_only=True),
        max_per_video=None,
    )
)
test_evaluator = val_evaluator
