# Published: 37.07 average mAP (tIoU 0.5:0.05:0.95, CUHK scores) in OpenTAD.
_base_ = "actionformer_tsp_192_15e_activitynet.py"
model = dict(
    projection=dict(input_dropout=0.2, preset="opentad"),
    neck=dict(preset="opentad"),
    # With one class OpenTAD takes every point to the suppression.
    head=dict(preset="opentad", min_duration=None, score_threshold=0.0, pre_nms_topk=5000),
)
resized = dict(resize_offset=0, resize_span="duration", resize_method="roi_align")
train_dataloader = dict(dataset=dict(**resized, min_coverage=0.01))
val_dataloader = dict(dataset=resized)
test_dataloader = val_dataloader
val_evaluator = dict(
    post_processor=dict(voting=dict(iou_weighted=False), video_scores=dict(method="product"))
)
test_evaluator = val_evaluator
