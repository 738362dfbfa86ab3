from .focal_loss import SigmoidFocalLoss, sigmoid_focal_loss
from .loss_normalizer import LossNormalizer
from .segment_iou_loss import OffsetIoULoss, offset_iou_loss

__all__ = [
    "LossNormalizer",
    "OffsetIoULoss",
    "SigmoidFocalLoss",
    "offset_iou_loss",
    "sigmoid_focal_loss",
]
