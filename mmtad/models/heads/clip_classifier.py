"""Which classes a window holds at all: the clip classifier of SP-TAD."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import fill_padding
from ..layers.channels_last import Linear
from ..task_modules import SetTargets


class ClipClassifier(nn.Module):
    """A linear layer on the means of all stages, trained with every class of the window.

    `SP-TAD <https://arxiv.org/abs/2109.08847>`_, section 3.2: the stages are averaged over space
    and time, joined and classified; at inference the probability of a class multiplies the scores
    of all proposals. The means are over valid steps. The paper prints neither the weight of the
    loss nor its reduction: ours are 1 and the mean over windows and classes.

    Args:
        in_channels: Channels of each of the S stages.
        num_classes: Number of classes K.
        loss_weight: Weight of the loss.
    """

    def __init__(
        self, in_channels: Sequence[int], num_classes: int, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.classifier = Linear(sum(in_channels), num_classes)
        self.loss_weight = loss_weight

    def forward(self, stages: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
        """Classify windows.

        Args:
            stages: S tensors ``[B, C_s, T_s]``; padded steps may hold anything.
            masks: S bool tensors ``[B, T_s]``, True = valid.

        Returns:
            Logits ``[B, K]``.
        """
        means = [
            fill_padding(x, mask).sum(-1) / mask.sum(1, keepdim=True).clamp(min=1).to(x.dtype)
            for x, mask in zip(stages, masks, strict=True)
        ]
        return self.classifier(torch.cat(means, dim=1))

    def loss(self, logits: Tensor, targets: Sequence[SetTargets]) -> Tensor:
        """Compute the weighted binary cross-entropy.

        Args:
            logits: ``[B, K]``.
            targets: B windows.

        Returns:
            Scalar.
        """
        exact = torch.promote_types(logits.dtype, torch.float32)
        wanted = torch.stack([F.pad(target.labels, (0, 0, 0, 1)).amax(0) for target in targets])
        loss = F.binary_cross_entropy_with_logits(logits.to(exact), wanted.to(logits.device, exact))
        return self.loss_weight * loss
