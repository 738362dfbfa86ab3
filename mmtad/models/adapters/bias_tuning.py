"""Training nothing of a block but its biases."""

from torch import nn

from mmtad.registry import MODELS


@MODELS.register_module()
class BiasTuning:
    """Trainable biases in a frozen block, `BitFit <https://arxiv.org/abs/2106.10199>`_.

    Every parameter of a block that is named ``bias`` or ``*_bias`` is trained: those of linear
    layers, convolutions and norms, and the ``q_bias`` and ``v_bias`` of VideoMAE's attention. There
    are no new parameters. VideoSwin's ``relative_position_bias_table`` is a table of positions and
    stays frozen.

    Args:
        embed_dims: Width of the block; every adapter takes it, and this one has no use for it.
    """

    couples_clips = False

    def __init__(self, embed_dims: int) -> None:
        self.embed_dims = embed_dims

    def install(self, block: nn.Module) -> None:
        """Make the biases of a block trainable.

        Raises:
            ValueError: If the block has none.
        """
        biases = [p for name, p in block.named_parameters() if name.endswith("bias")]
        if not biases:
            raise ValueError(f"{type(block).__name__} has no bias that could be trained")
        for bias in biases:
            bias.requires_grad_(True)
