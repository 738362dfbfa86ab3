"""A running count of positives to divide losses by."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


class LossNormalizer(nn.Module):
    """Exponential moving average of the number of positive points per process.

    `ActionFormer <https://arxiv.org/abs/2202.07925>`_: with batches of two, dividing by the count
    of the batch itself is too noisy. The average is a float buffer and so part of the checkpoint.
    In the authors' code it is a plain attribute that resuming loses; OpenTAD keeps a buffer too,
    and like it we divide by the count itself in evaluation mode.

    Args:
        init_value: Start of the average.
        momentum: Share of the old value kept by an update.
    """

    def __init__(self, init_value: float = 100.0, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("average", torch.tensor(float(init_value)))

    def forward(self, num_positive: Tensor) -> Tensor:
        """Update the average in training and return what to divide by.

        With a process group the count is averaged over the processes first: as gradients are
        averaged too, the result equals one process with the whole batch and the average count. The
        authors' code knows one process only (or DataParallel); OpenTAD lets every process average
        its own count.

        Args:
            num_positive: Scalar, positives in the batch of this process.

        Returns:
            Positive float scalar without gradient.
        """
        count = num_positive.detach().to(self.average.dtype, copy=True)
        all_reduce(count, "mean")
        count = count.clamp(min=1)
        if not self.training:
            return count
        average = self.momentum * self.average + (1 - self.momentum) * count
        self.average.copy_(average)
        return average
