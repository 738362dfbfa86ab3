"""How the clips of a batch of videos are cut, joined in time and sent through in groups."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClipLayout:
    """Clips of a batch, video after video, and how many in a row share one time axis.

    Attributes:
        clips: Clips N of the batch.
        joined: Consecutive clips that an adapter sees as one time axis: those of a video in the
            frame representation, 1 in the snippet representation.
    """

    clips: int
    joined: int

    def groups(self, size: int | None) -> list[slice]:
        """Cut the batch into groups of clips: whole sequences, or equal parts of one.

        Args:
            size: Largest number of clips in a group; None for all.
        """
        size = self.clips if size is None else size
        if size >= self.joined:
            whole = size // self.joined * self.joined
            return [slice(a, min(a + whole, self.clips)) for a in range(0, self.clips, whole)]
        parts = math.ceil(self.joined / size)
        bounds = [round(i * self.joined / parts) for i in range(parts + 1)]
        return [
            slice(start + a, start + b)
            for start in range(0, self.clips, self.joined)
            for a, b in zip(bounds, bounds[1:], strict=False)
        ]

    def join(self, tokens: Tensor) -> Tensor:
        """``[n, T', H', W', C]`` of a group's clips to ``[sequences, steps, H', W', C]``."""
        if self.joined == 1:
            return tokens
        steps = min(self.joined, tokens.shape[0]) * tokens.shape[1]
        return tokens.reshape(-1, steps, *tokens.shape[2:])

    def around(self, group: slice) -> tuple[int, int]:
        """Clips of the same sequence before and after a group."""
        return group.start % self.joined, -group.stop % self.joined


def join_groups(parts: list[Tensor]) -> Tensor:
    """Tensors of successive groups, the clips first, as one tensor of their type."""
    if len(parts) == 1:
        return parts[0]
    with torch.autocast(parts[0].device.type, enabled=False):  # it refuses to join its other half
        return torch.cat(parts)


class Clips:
    """The clips of a batch of videos, cut out only when they are asked for.

    Frames stay in their type (uint8) until then.

    Args:
        frames: ``[B, 3, T, H, W]``.
        length: Frames in a clip; None for one clip of all frames.
        stride: Frames between the starts of successive clips, or None for adjacent clips. With a
            stride, clip i is centred on the i-th stride of frames, and the first and last frame
            are repeated where a clip reaches beyond the video.

    Raises:
        ValueError: If the frames cannot be cut so.
    """

    def __init__(self, frames: Tensor, length: int | None, stride: int | None = None) -> None:
        if frames.dim() != 5:
            raise ValueError(f"frames are [B, 3, T, H, W], got a shape of {tuple(frames.shape)}")
        total = frames.shape[2]
        length = length or total
        if stride is None and (total == 0 or total % length):
            raise ValueError(
                f"{total} frames cannot be cut into clips of {length}; choose a window that is a "
                f"multiple of {length}"
            )
        if stride is not None and (total == 0 or total % stride):
            raise ValueError(
                f"{total} frames do not hold a whole number of snippets {stride} frames apart; "
                f"choose a window that is a multiple of {stride}"
            )
        if stride is not None:
            before, after = (length - stride) // 2, -((stride - length) // 2)
            index = torch.arange(-before, total + after, device=frames.device)
            frames = frames.index_select(2, index.clamp(0, total - 1))
        # [B, n, 3, length, H, W], a view
        self.views = frames.unfold(2, length, stride or length).permute(0, 2, 1, 5, 3, 4)

    def __len__(self) -> int:
        return self.views.shape[0] * self.views.shape[1]

    @property
    def per_video(self) -> int:
        """Clips of one video."""
        return self.views.shape[1]

    def __getitem__(self, group: slice) -> Tensor:
        """``[n, 3, length, H, W]``, a copy only where the group spans videos."""
        start, stop, _ = group.indices(len(self))
        parts = []
        for video in range(start // self.per_video, -(-stop // self.per_video)):
            first = video * self.per_video
            parts.append(self.views[video][max(0, start - first) : stop - first])
        return parts[0] if len(parts) == 1 else torch.cat(parts)
