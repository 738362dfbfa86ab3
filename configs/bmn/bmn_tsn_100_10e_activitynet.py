# Published: 33.85 average mAP (tIoU 0.5:0.05:0.95), AR@100 75.01, AUC 67.10 (paper). The paper's
# one boundary tower, regression weight 10 and score start * end * cls * reg, and no padding or cell
# beyond the video touches another.
_base_ = [
    "../_base_/models/bmn.py",
    "../_base_/datasets/activitynet_tsn.py",
    "../_base_/datasets/activitynet_proposals.py",
    "../_base_/schedules/adam_bmn_10e.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(head=dict(preset="padding_free"))
train_dataloader = dict(dataset=dict(min_coverage=0))  # the authors train on short actions too
post_processor = dict(
    nms=dict(sigma=0.5, min_score=0.01),
    voting=dict(iou_threshold=0.95),
)
val_evaluator = dict(
    post_processor=post_processor,
    measures=["mAP", dict(type="AR", post_processor=_base_.proposals)],
)
test_evaluator = val_evaluator
