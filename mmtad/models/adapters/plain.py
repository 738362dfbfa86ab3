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

    Args:
        embed_dims: Width C of the tokens.
        reduction: C divided by the hidden width; the papers' gamma. Defaults to 4.
        residual: Return ``x + y`` (inside a block); False returns ``y`` alone (side placement).
            Defaults to True.
        init_cfg: Unused by this module, which initialises itself.

    Raises:
        ValueError: If ``reduction`` leaves no hidden channel.
    """

    def __init__(
        self,
        embed_dims: int,
        reduction: float = 4,
        residual: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        hidden_dims = int(embed_dims / reduction) if reduction > 0 else 0
        if hidden_dims < 1:
            raise ValueError(
                f"reduction={reduction} leaves no hidden channel of embed_dims={embed_dims}; "
                f"choose a value above 0 and up to {embed_dims}"
            )
        self.hidden_dims = hidden_dims
        self.residual = residual
        self.down_proj = nn.Linear(embed_dims, hidden_dims)
        self.up_proj = nn.Linear(hidden_dims, embed_dims)
        self.gamma = nn.Parameter(ones(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the start values of AdaTAD's public code: zero update, ``gamma`` one."""
        # Truncated at 2, a hundred deviations away, in the public code: the same distribution.
        nn.init.normal_(self.down_proj.weight, std=0.02)
        nn.init.zeros_(self.down_proj.bias)
        nn.init.zeros_(self.up_proj.weight)
        nn.init.zeros_(self.up_proj.bias)
        nn.init.ones_(self.gamma)

    def init_weights(self) -> None:
        """Undo what a surrounding backbone's ``init_cfg`` did to the linear layers in here."""
        self.reset_parameters()
        self._is_init = True

    def forward(self, x: Tensor) -> Tensor:
        """Adapt tokens.

        Args:
            x: ``[B, T, H, W, C]`` tokens of whole videos, in temporal order.

        Returns:
            ``[B, T, H, W, C]`` of the same dtype.
        """
        hidden = self.mix(F.gelu(self.down_proj(x)))
        # gamma keeps its precision under autocast: in bf16 it could only move in steps of 0.4 %.
        update = (self.gamma * self.up_proj(hidden)).to(x.dtype)
        return x + update if self.residual else update

    def mix(self, hidden: Tensor) -> Tensor:
        """Exchange information between positions, ``[B, T, H, W, h]`` to the same; here nothing."""
        return hidden
