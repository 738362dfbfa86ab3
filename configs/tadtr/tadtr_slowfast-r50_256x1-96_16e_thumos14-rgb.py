# Published: 54.2 average mAP (tIoU 0.3:0.1:0.7) in E2E-TAD, 7.6 GB for 4 windows.
_base_ = [
    "../_base_/models/tadtr.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/thumos14_256x1-96_e2e-tad.py",
    "../_base_/schedules/adamw_query_e2e-tad.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    backbone=dict(_base_.encoder, frozen=False, adapter=None),
    projection=dict(in_channels=2304),
    head=dict(encoder=dict(num_layers=4), merge_labels=False, max_per_window=100),
)
# What decides where attention looks learns at a tenth of the rate.
offsets = dict(lr=1e-5, decay_all=True, match=["offset_proj", "reference_proj"])
optim_wrapper = dict(paramwise_cfg=dict(offsets=offsets))
# Only what touches the quarter that two windows share is suppressed, as by TadTR.
val_evaluator = dict(
    post_processor=dict(
        nms=dict(_delete_=True, type="nms", iou_threshold=0.4, overlaps_only=True),
        max_per_video=None,
    )
)
test_evaluator = val_evaluator
