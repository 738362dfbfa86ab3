# Self-DETR on windows of THUMOS14: DAB-DETR whose self-attention follows what cross-attention has
# learned. Detection costs what DAB-DETR's does. The weights of the two terms are ours, 1,
# under the reduction that SelfFeedbackLoss describes.
_base_ = "dab-detr.py"
model = dict(head=dict(feedback=dict(type="SelfFeedbackLoss")))
