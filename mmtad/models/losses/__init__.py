from .attention_alternatives import AttentionDiversityLoss, IdentityAttentionLoss
from .boundary_matching import (
    BalancedBCELoss,
    BalancedL2Loss,
    balanced_bce_loss,
    balanced_l2_loss,
)
from .focal_loss import SigmoidFocalLoss, sigmoid_focal_loss
from .loss_normalizer import LossNormalizer
from .segment_iou_loss import OffsetIoULoss, offset_iou_loss
from .self_feedback import SelfFeedbackLoss
from .set_criterion import SetCriterion, make_targets

__all__ = [
    "AttentionDiversityLoss",
    "BalancedBCELoss",
    "BalancedL2Loss",
    "IdentityAttentionLoss",
    "LossNormalizer",
    "OffsetIoULoss",
    "SelfFeedbackLoss",
    "SetCriterion",
    "SigmoidFocalLoss",
    "balanced_bce_loss",
    "balanced_l2_loss",
    "make_targets",
    "offset_iou_loss",
    "sigmoid_focal_loss",
]
