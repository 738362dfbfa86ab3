"""The bottleneck adapter: two linear layers that see one position at a time."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn, ones

from mmtad.registry import MODELS


@MODELS.register_module()
class PlainAdapter(BaseModule):
    """Bottleneck adapter, `Parameter-Efficient Transfer Learning <https://arxiv.org/abs/1902.00751>`_.

    ``y = gamma * W_up GELU(W_down x)`` with biases and one learnable scalar ``gamma``. ``W_up``
    starts at zero, so a fresh adapter changes nothing.

    ``reach`` and ``spatial`` say how far it looks, so that an encoder can send the clips of a video
    through in groups. The steps of ``forward`` can be called one by one (side placement does).

    Args:
        embed_dims: Width C of the tokens.
        out_dims: Width D of the result; None for C, which a residual adapter needs.
        reduction: C divided by the hidden width; the papers' gamma. Defaults to 4.
        residual: Return ``x + y`` (inside a block); False returns ``y`` alone (side placement).
            Defaults to True.
        gamma_init: What the scalar starts with. Defaults to 1.
        init_cfg: Unused by this module, which initialises itself.

    Raises:
        ValueError: If ``reduction`` leaves no hidden channel, or a residual adapter is to change
            the width.
    """

    reach = 0
    """Steps before and after a position that its output depends on."""

    spatial = 1
    """Positions of a step that the output of one of them depends on; 1 is itself alone."""

    def __init__(
        self,
        embed_dims: int,
        out_dims: int | None = None,
        reduction: float = 4,
        residual: bool = True,
        gamma_init: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        hidden_dims = int(embed_dims / reduction) if reduction > 0 else 0
        if hidden_dims < 1:
            raise ValueError(
                f"reduction={reduction} leaves no hidden channel of embed_dims={embed_dims}; "
                f"choose a value above 0 and up to {embed_dims}"
            )
        if residual and out_dims not in (None, embed_dims):
            raise ValueError(
                f"a residual adapter keeps the width {embed_dims}, got out_dims={out_dims}"
            )
        self.hidden_dims = hidden_dims
        self.residual = residual
        self.gamma_init = gamma_init
        self.down_proj = nn.Linear(embed_dims, hidden_dims)
        self.up_proj = nn.Linear(hidden_dims, out_dims or embed_dims)
        self.gamma = nn.Parameter(ones(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the start values of AdaTAD's public code: zero update, ``gamma`` one."""
        # Truncated at 2, a hundred deviations away, in the public code: the same distribution.
        nn.init.normal_(self.down_proj.weight, std=0.02)
        nn.init.zeros_(self.down_proj.bias)
        nn.init.zeros_(self.up_proj.weight)
        nn.init.zeros_(self.up_proj.bias)
        nn.init.constant_(self.gamma, self.gamma_init)

    def init_weights(self) -> None:
        """Undo what a surrounding backbone's ``init_cfg`` did to the linear layers in here."""
        self.reset_parameters()
        self._is_init = True

    def forward(
        self, x: Tensor, before: Tensor | None = None, after: Tensor | None = None
    ) -> Tensor:
        """Adapt tokens.

        Args:
            x: ``[B, T, H, W, C]`` tokens in temporal order, of whole videos or of parts of them.
            before: The steps before ``x`` in the same videos, up to ``reach`` of them; None where
                the videos begin.
            after: The steps after it; None where the videos end.

        Returns:
            ``[B, T, H, W, D]`` of the same dtype.
        """
        around = [None if edge is None else self.squeeze(edge) for edge in (before, after)]
        return self.expand(x, self.mix(self.squeeze(x), *around))

    def squeeze(self, x: Tensor) -> Tensor:
        """First step, each position alone: ``[B, T, H, W, C]`` to ``[B, T, H, W, h]``."""
        return F.gelu(self.down_proj(x))

    def mix(
        self, hidden: Tensor, before: Tensor | None = None, after: Tensor | None = None
    ) -> Tensor:
        """Second step, exchange between positions; here there is none.

        Args:
            hidden: ``[B, T, H, W, h]``.
            before: Up to ``reach`` steps before ``hidden``; None where the video begins.
            after: Up to ``reach`` steps after it; None where the video ends.

        Returns:
            ``[B, T, H, W, h]``.
        """
        return hidden

    def project(self, mixed: Tensor) -> Tensor:
        """Last step, linear: the update ``[..., D]`` from ``[..., h]``."""
        # gamma keeps its precision under autocast: in bf16 it could only move in steps of 0.4 %.
        return self.gamma * self.up_proj(mixed)

    def expand(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Add the update to ``x`` (if residual), in the dtype of ``x``."""
        update = self.project(mixed).to(x.dtype)
        return x + update if self.residual else update
