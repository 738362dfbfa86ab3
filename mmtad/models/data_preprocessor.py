"""From the samples of a batch to the tensors of a model."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn import functional

from ..registry import MODELS


@MODELS.register_module()
class TADDataPreprocessor(BaseDataPreprocessor):
    """Move a batch to the device, normalise frames, pad features, stack.

    Frames travel as uint8 and become float only on the device. Features of different lengths are
    padded with zeros to the longest, and their masks with False.

    Args:
        mean: Per channel, in the range of the frames (0 to 255); None together with ``std`` leaves
            values as they are. Defaults to ImageNet's, RGB.
        std: Per channel, same range.
        pad_divisor: Features are padded to a multiple of this length.
        non_blocking: Copy to the device without waiting, for pinned memory.
        defer_normalization: Leave frames as uint8, a quarter of the memory; ``TADDetector`` has
            them normalised by :meth:`normalize` clip by clip when its encoder needs them.

    Raises:
        ValueError: If only one of ``mean`` and ``std`` is given, their lengths differ, or a
            deviation or ``pad_divisor`` is not positive.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = (123.675, 116.28, 103.53),
        std: Sequence[float] | None = (58.395, 57.12, 57.375),
        pad_divisor: int = 1,
        non_blocking: bool = False,
        defer_normalization: bool = False,
    ):
        super().__init__(non_blocking=non_blocking)
        if (mean is None) != (std is None) or len(mean or ()) != len(std or ()):
            raise ValueError(f"mean and std belong together, got {mean!r} and {std!r}")
        if std is not None and min(std) <= 0:
            raise ValueError(f"std must be positive, got {std!r}")
        if pad_divisor < 1:
            raise ValueError(f"pad_divisor must be at least 1, got {pad_divisor}")
        self.pad_divisor = pad_divisor
        self.defer_normalization = defer_normalization
        self._normalize = mean is not None
        for name, values in (("mean", mean), ("std", std)):
            tensor = torch.tensor(values or (), dtype=torch.float32).view(-1, 1, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch as the loader collates it.

        Args:
            data: ``inputs``: list of uint8 ``[C, T, H, W]`` or float ``[C, T]``, or either stacked;
                ``masks``: list of bool ``[T']``, or absent for features without padding;
                ``data_samples``: list, or absent.
            training: Not used.

        Returns:
            ``inputs`` float32 ``[B, C, T, H, W]`` normalised (or uint8 if deferred), or
            ``[B, C, T]``; ``masks`` bool
            ``[B, T']``; ``data_samples``.

        Raises:
            ValueError: If the shapes of a batch do not fit together.
        """
        data = self.cast_data(data)
        inputs, masks = list(data["inputs"]), data.get("masks")
        if not inputs:
            raise ValueError("the batch is empty")
        if inputs[0].ndim == 4:
            if masks is None:
                raise ValueError("a batch of frames needs masks [T'], one per sample")
            stacked, padded = self._stack_frames(inputs), _stack("masks", list(masks))
        else:
            stacked, padded = self._pad_features(inputs, masks)
        return dict(inputs=stacked, masks=padded.bool(), data_samples=data.get("data_samples"))

    def _stack_frames(self, inputs: list[Tensor]) -> Tensor:
        frames = _stack("inputs", inputs)
        if self._normalize and frames.shape[1] != len(self.mean):
            raise ValueError(
                f"frames have {frames.shape[1]} channels, mean and std {len(self.mean)}"
            )
        later = self.defer_normalization and frames.dtype == torch.uint8
        return frames if later else self.normalize(frames)

    def normalize(self, frames: Tensor) -> Tensor:
        """Turn frames of any type into normalised float32 of the same shape ``[N, C, T, H, W]``."""
        frames = frames.to(torch.float32, copy=True)
        return frames.sub_(self.mean).div_(self.std) if self._normalize else frames

    def _pad_features(
        self, inputs: list[Tensor], masks: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        shapes = [tuple(feature.shape) for feature in inputs]
        if any(len(shape) != 2 for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                "inputs must be frames [C, T, H, W] or features [C, T] with one number of channels,"
                f" got {shapes}"
            )
        lengths = [shape[1] for shape in shapes]
        if masks is None:
            masks = [feature.new_ones(feature.shape[1], dtype=torch.bool) for feature in inputs]
        if [len(mask) for mask in masks] != lengths:
            raise ValueError(
                f"features of {lengths} steps have masks of {[len(mask) for mask in masks]}"
            )
        size = math.ceil(max(lengths) / self.pad_divisor) * self.pad_divisor

        def pad(tensor: Tensor) -> Tensor:
            return functional.pad(tensor, (0, size - tensor.shape[-1]))

        return (
            torch.stack([pad(feature.float()) for feature in inputs]),
            torch.stack([pad(mask) for mask in masks]),
        )


def _stack(name: str, tensors: list[Tensor]) -> Tensor:
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1:
        raise ValueError(
            f"the {name} of a batch must have one shape, got {sorted(shapes)}; let the pipeline "
            "end in one size (RandomResizedCrop, CenterCrop)"
        )
    return torch.stack(tensors)
