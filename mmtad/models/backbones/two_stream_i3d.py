"""Two Inception-I3D side by side: one sees the frames, the other their optical flow."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmtad.registry import MODELS


@MODELS.register_module()
class TwoStreamI3D(BaseModule):
    """RGB and flow I3D, joined stage by stage, as in SP-TAD.

    The streams share nothing. Both stay end to end trainable; their weights lie under ``rgb.`` and
    ``flow.``, and each reads its own checkpoint.

    Args:
        rgb: Arguments of the :class:`InceptionI3D` that sees channels 0 to 2.
        flow: Arguments of the one that sees channels 3 and 4, the flow in x and y.
        init_cfg: MMEngine's initialisation config.

    Attributes:
        stage_channels: Channels of each stage, both streams together: 960, 1664 and 2048.
        out_channels: The same.

    Raises:
        ValueError: If the streams have different stages.
    """

    def __init__(
        self, rgb: dict | None = None, flow: dict | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.rgb = MODELS.build(dict(dict(type="InceptionI3D", in_channels=3), **(rgb or {})))
        self.flow = MODELS.build(dict(dict(type="InceptionI3D", in_channels=2), **(flow or {})))
        if self.rgb.out_stages != self.flow.out_stages:
            raise ValueError(
                f"both streams need the same out_stages, got {self.rgb.out_stages} for rgb and "
                f"{self.flow.out_stages} for flow"
            )
        self.out_stages = self.rgb.out_stages
        self.in_channels = self.rgb.in_channels + self.flow.in_channels
        self.stage_channels = tuple(
            a + b for a, b in zip(self.rgb.stage_channels, self.flow.stage_channels, strict=True)
        )
        self.out_channels = self.stage_channels

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Run both streams.

        Args:
            x: ``[B, 5, T, H, W]``, RGB and flow, values scaled to [-1, 1].

        Returns:
            Feature maps of the stages, ``[B, C_s, T_s, H_s, W_s]`` each, RGB channels first.

        Raises:
            ValueError: If the number of channels is another.
        """
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"TwoStreamI3D takes [B, {self.in_channels}, T, H, W], got {tuple(x.shape)}; the "
                "transform LoadFlow puts the flow behind the frames"
            )
        frames, flow = x.split([self.rgb.in_channels, self.flow.in_channels], dim=1)
        return tuple(
            torch.cat(pair, dim=1) for pair in zip(self.rgb(frames), self.flow(flow), strict=True)
        )
