"""Feature projection of ActionFormer: convolutions, then a pyramid of transformer blocks."""

from collections.abc import Sequence

from torch import nn

from mmtad.registry import MODELS

from ..layers import ConvTransformerBlock
from .pyramid_projection import PyramidProjection, windows_per_level


@MODELS.register_module()
class ConvTransformerProjection(PyramidProjection):
    """Multi-scale transformer over a feature sequence.

    `ActionFormer: Localizing Moments of Actions with Transformers
    <https://arxiv.org/abs/2202.07925>`_: embedding convolutions, ``stem`` blocks at
    full length (the last gives level 0), then one block per further level, each of which halves the
    time axis. Any length is accepted.

    The paper halves with a strided depth-wise convolution and says nothing on padding; the public
    codes pad to ``max_seq_len`` and let padding touch the last valid steps (presets ``official``
    and ``opentad``). Ours does not.

    Args:
        in_channels: Channels of the input, or a list with one number per stream when several
            feature streams are stacked along the channels.
        out_channels: Channels of every level; for several streams a list, whose sum is the width.
        arch: Numbers of embedding convolutions, stem blocks and branch (down-sampling) blocks.
        num_heads: Attention heads.
        window: Odd number of steps that local attention sees, -1 for all, or a list with one entry
            per level.
        kernel_size: Odd kernel of the embedding convolutions.
        max_seq_len: Training length in steps: the length of the position table, and in the presets
            of the public codes the length that shorter inputs are padded to.
        use_abs_pos: Add sinusoidal absolute positions (ActivityNet and Ego4D in the paper).
        mlp_ratio: Hidden width of the MLPs over ``out_channels``.
        input_dropout: Chance that a whole input channel is dropped (OpenTAD: 0.2; the paper: 0).
        attn_dropout: Chance that an attention weight is dropped.
        dropout: Chance that an output value of attention or MLP is dropped.
        drop_path: Chance that a residual branch of a sample is dropped.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``window`` is a list whose length is not the number of levels.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        out_channels: int | Sequence[int] = 512,
        arch: tuple[int, int, int] = (2, 2, 5),
        num_heads: int = 4,
        window: int | Sequence[int] = 19,
        kernel_size: int = 3,
        max_seq_len: int = 2304,
        use_abs_pos: bool = False,
        mlp_ratio: float = 4,
        input_dropout: float = 0.0,
        attn_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        num_convs, num_stem, num_branch = arch
        super().__init__(
            in_channels,
            out_channels,
            num_convs,
            kernel_size,
            max_seq_len,
            use_abs_pos,
            input_dropout,
            preset=preset,
            init_cfg=init_cfg,
        )
        self.windows = windows_per_level(window, 1 + num_branch)

        def block(window: int, stride: int) -> ConvTransformerBlock:
            return ConvTransformerBlock(
                self.out_channels,
                num_heads,
                window,
                stride,
                mlp_ratio=mlp_ratio,
                attn_dropout=attn_dropout,
                dropout=dropout,
                drop_path=drop_path,
                isolate_padding=self.preset.isolate_padding,
            )

        self.stem = nn.ModuleList(block(self.windows[0], 1) for _ in range(num_stem))
        self.branch = nn.ModuleList(block(window, 2) for window in self.windows[1:])

    def legal_factor(self) -> int:
        """The largest ``stride * (window - 1)``; global attention counts its stride."""
        return max(max(w - 1, 1) << level for level, w in enumerate(self.windows))
