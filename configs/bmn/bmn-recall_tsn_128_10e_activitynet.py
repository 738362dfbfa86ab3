# Published: 75.34 AR@100, 67.23 AUC of proposals (tIoU 0.5:0.05:0.95) in OpenTAD.
# The model of bmn_tsn_128_10e_activitynet.py, tested as a generator of proposals: score start * end
# * cls * reg, and a suppression that is gentle around long ones.
_base_ = [
    "bmn_tsn_128_10e_activitynet.py",
    "../_base_/datasets/activitynet_proposals.py",
]
model = dict(head=dict(score_type="product"))
recall = dict(**_base_.proposals, voting=dict(iou_threshold=0.95))
val_evaluator = dict(
    measures=[dict(type="AR", post_processor=recall)], post_processor=dict(_delete_=True, **recall)
)
test_evaluator = val_evaluator
