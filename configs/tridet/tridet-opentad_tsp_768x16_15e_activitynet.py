# Published: 36.96 average mAP (tIoU 0.5:0.05:0.95, CUHK scores) in OpenTAD.
_base_ = "tridet_tsp_768x16_15e_activitynet.py"
model = dict(
    projection=dict(preset="opentad"),
    neck=dict(preset="opentad"),
    # With one class OpenTAD takes every point to the suppression.
    head=dict(preset="opentad", min_duration=None, score_threshold=0.0, pre_nms_topk=5000),
)
train_dataloader = dict(dataset=dict(truncation_margin=0))
val_evaluator = dict(post_processor=dict(video_scores=dict(method="product")))
test_evaluator = val_evaluator
