"""Feature projection of TriDet: convolutions, then a pyramid of SGP blocks."""

from collections.abc import Sequence

from torch import nn

from mmtad.registry import MODELS

from ..layers import SGPBlock
from .pyramid_projection import PyramidProjection, windows_per_level


@MODELS.register_module()
class SGPProjection(PyramidProjection):
    """Scalable-granularity perception over a feature sequence.

    `TriDet: Temporal Action Detection with Relative Boundary Modeling
    <https://arxiv.org/abs/2303.07347>`_: embedding convolutions, ``stem`` blocks at full length
    (the last gives level 0), then one block per further level, each of which halves the time axis
    by max-pooling. Any length is accepted. As in the authors' code, stem blocks have a window of 1,
    neither stochastic depth nor the scale that comes with it.

    How much of an SGP block there is depends on ``init``: with ``"published"``, which the authors'
    numbers on THUMOS14 and EPIC-Kitchens come from, its convolutions are zero and stay so; see
    :func:`~mmtad.models.layers.resolve_sgp_init`.

    In the presets ``official`` and ``opentad`` the temporal mean and the group norm of a block see
    the padding, so a result depends on its amount; in ours (``padding_free``) they do not.

    Args:
        in_channels: Channels of the input, or a list with one number per stream when several
            feature streams are stacked along the channels.
        out_channels: Channels of every level; for several streams a list, whose sum is the width.
        arch: Numbers of embedding convolutions, stem blocks and branch (down-sampling) blocks.
        window: Odd window w of the SGP layers, or a list with one entry per level (that of level 0
            only decides the length that the public codes pad to).
        k: Ratio of the wider window.
        mlp_channels: Hidden width of the MLPs.
        init: ``"published"``, ``"live"`` or a standard deviation (ActivityNet: 0.2).
        kernel_size: Odd kernel of the embedding convolutions.
        max_seq_len: Training length in steps: the length of the position table, and in the presets
            of the public codes the length that shorter inputs are padded to.
        use_abs_pos: Add sinusoidal absolute positions (ActivityNet and HACS in the authors' code).
        input_dropout: Chance that a whole input channel is dropped; 0 in both public codes.
        input_noise: Standard deviation of Gaussian noise on the input in training (THUMOS14 5e-4,
            ActivityNet 0.5).
        num_groups: Groups of the group norms; divides ``out_channels``.
        drop_path: Chance that a residual branch of a sample is dropped, in branch blocks.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``window`` is a list whose length is not the number of levels, or is not odd,
            or ``init`` is unknown.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        out_channels: int | Sequence[int] = 512,
        arch: tuple[int, int, int] = (2, 2, 5),
        window: int | Sequence[int] = 1,
        k: float = 5,
        mlp_channels: int = 768,
        init: str | float = "live",
        kernel_size: int = 3,
        max_seq_len: int = 2304,
        use_abs_pos: bool = False,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        num_groups: int = 16,
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
            input_noise,
            preset,
            init_cfg,
        )
        self.windows = windows_per_level(window, 1 + num_branch)

        def block(window: int, stride: int, drop_path: float | None) -> SGPBlock:
            return SGPBlock(
                self.out_channels,
                window,
                k,
                stride,
                mlp_channels=mlp_channels,
                num_groups=num_groups,
                drop_path=drop_path,
                init=init,
                isolate_padding=self.preset.isolate_padding,
            )

        self.stem = nn.ModuleList(block(1, 1, None) for _ in range(num_stem))
        self.branch = nn.ModuleList(block(window, 2, drop_path) for window in self.windows[1:])

    def legal_factor(self) -> int:
        """The largest ``stride * window``."""
        return max(window << level for level, window in enumerate(self.windows))
