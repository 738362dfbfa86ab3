"""The decoder of DAB-DETR: queries are anchors, refined from layer to layer."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from .attention_maps import DecoderOutputs
from .dab_attention import DABCrossAttention, DABSelfAttention
from .dab_encoder import init_by_xavier
from .feed_forward import FeedForward
from .mlp import MLP
from .refinement import EPS, inverse_sigmoid, refine
from .sine_position import sine_code

ANCHOR_INITS = ("normal", "uniform")


def draw_anchors(num_queries: int, kind: str) -> tuple[Tensor, Tensor]:
    """Draw centres and widths before the sigmoid.

    Args:
        num_queries: Queries Q.
        kind: ``"normal"``: both from N(0, 1), the default of an embedding, as DAB-DETR;
            ``"uniform"``: centres evenly from 0 to 1, widths from 0.1 to 0.5.

    Returns:
        Two ``[Q, 1]``.

    Raises:
        ValueError: If the kind is unknown.
    """
    if kind not in ANCHOR_INITS:
        raise ValueError(f"anchor_init must be one of {ANCHOR_INITS}, got {kind!r}")
    if kind == "normal":
        return torch.randn(num_queries, 1), torch.randn(num_queries, 1)
    centers, widths = torch.rand(num_queries, 1), torch.rand(num_queries, 1)
    return inverse_sigmoid(centers), inverse_sigmoid(0.1 + 0.4 * widths)


class DABDecoderLayer(nn.Module):
    """Attention among queries, attention to steps and a feed-forward layer, each before its norm.

    Args:
        embed_dims: Width C.
        num_heads: Heads H.
        feedforward_channels: Width inside the feed-forward layer.
        dropout: Chance of dropout everywhere.
        activation: See :class:`FeedForward`.
        first: Whether this is the first layer, see :class:`DABCrossAttention`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        dropout: float,
        activation: str,
        first: bool,
    ) -> None:
        super().__init__()
        self.self_attention = DABSelfAttention(embed_dims, num_heads, dropout)
        self.self_norm = nn.LayerNorm(embed_dims)
        self.cross_attention = DABCrossAttention(embed_dims, num_heads, dropout, first)
        self.cross_norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = FeedForward(embed_dims, feedforward_channels, dropout, activation)

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        code: Tensor,
        memory: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        return_maps: bool = False,
        bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Apply the layer; see :meth:`DABCrossAttention.forward` for the arguments.

        The bias, ``[B, H, Q, Q]`` or None, is that of self-attention.

        Returns:
            Content ``[B, Q, C]``, the weights among queries ``[B, H, Q, Q]`` and of the steps
            ``[B, H, Q, T]``, or None and None.
        """
        seen, self_map = self.self_attention(content, position, return_maps, bias)
        content = self.self_norm(content + self.dropout(seen))
        seen, cross_map = self.cross_attention(
            content, position, code, memory, positions, mask, return_maps
        )
        content = self.cross_norm(content + self.dropout(seen))
        return self.feed_forward(content), self_map, cross_map


@MODELS.register_module()
class DABDecoder(BaseModule):
    """The decoder of `DAB-DETR <https://arxiv.org/abs/2201.12329>`_ along time.

    A query is an anchor (centre, width) and a content, which starts at zero. Before every layer the
    anchor is encoded by sines; the code of its centre, scaled by an MLP of the content (not in the
    first layer) and multiplied with the ratio of a width that the content asks for to that of the
    anchor, is compared with the codes of the steps: narrow anchors look at few steps. After every
    layer the anchor moves by what one MLP, shared by all layers, reads from the content.

    As in the authors' code, that MLP reads the content itself where the next layer gets its anchor,
    and the content after the last norm where a segment is predicted. The anchor that the next layer
    attends with has no gradient; the one that its prediction starts from has, so the loss of a
    layer also reaches the offset of the layer before.

    Args:
        embed_dims: Width C.
        num_queries: Queries Q.
        num_layers: Layers L.
        num_heads: Heads H.
        feedforward_channels: Width inside the feed-forward layers (TadTR 1024, DAB-DETR 2048).
        dropout: Chance of dropout in training (TadTR 0.1, DAB-DETR 0).
        activation: ``"relu"`` as in TadTR, ``"prelu"`` as in DAB-DETR.
        qd_layout: Encode centre and width with C / 2 channels each and compare all C with the codes
            of the steps, as `QD-DETR <https://arxiv.org/abs/2303.13874>`_ does. By default both
            have C channels, and only the centre, coded as the steps are, takes part: the product of
            two codes then tells how near a step is.
        temperature: Temperature of the codes of anchors. The head's ``position`` sets that of the
            steps; they are comparable where both are the same.
        anchor_init: See :func:`draw_anchors`; ``"uniform"`` trains more steadily.
        frozen_centers: Leave the first centres as they were drawn.
        relative: Config of a bias of the scores among queries by how their anchors lie, see
            :class:`RelativeAnchorBias`; None for none.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the heads do not divide the width, a code would have an odd number of
            channels, or ``anchor_init`` or the activation is unknown.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_queries: int = 40,
        num_layers: int = 4,
        num_heads: int = 8,
        feedforward_channels: int = 1024,
        dropout: float = 0.1,
        activation: str = "relu",
        qd_layout: bool = False,
        temperature: float = 10000.0,
        anchor_init: str = "normal",
        frozen_centers: bool = False,
        relative: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed_dims, self.num_queries, self.num_layers = embed_dims, num_queries, num_layers
        self.qd_layout = qd_layout
        self.temperature = temperature
        self.code_channels = embed_dims // 2 if qd_layout else embed_dims
        if self.code_channels % 2:
            raise ValueError(
                f"sine codes need an even number of channels, got {self.code_channels} with "
                f"embed_dims={embed_dims} and qd_layout={qd_layout}"
            )
        self.position_mlp = MLP(2 * self.code_channels, embed_dims, embed_dims, 2)
        self.code_scale = MLP(embed_dims, embed_dims, embed_dims, 2)
        self.width_mlp = MLP(embed_dims, embed_dims, 1, 2)
        self.layers = nn.ModuleList(
            DABDecoderLayer(
                embed_dims, num_heads, feedforward_channels, dropout, activation, first=index == 0
            )
            for index in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dims)
        init_by_xavier(self)
        self.relative = relative and MODELS.build(dict(num_heads=num_heads) | relative)
        self.regressor = MLP(embed_dims, embed_dims, 2, 3)
        nn.init.zeros_(self.regressor.layers[-1].weight)  # its bias is zero as well
        centers, widths = draw_anchors(num_queries, anchor_init)
        self.centers = nn.Parameter(centers, requires_grad=not frozen_centers)
        self.widths = nn.Parameter(widths)

    def forward(
        self,
        memory: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        query_code: Tensor | None = None,
        return_maps: bool = False,
    ) -> DecoderOutputs:
        """Decode the queries.

        Args:
            memory: ``[B, T, C]``, finite at padded steps.
            positions: ``[B, T, C]``, sine code of the steps.
            mask: Bool ``[B, T]``, True = valid; None for all.
            query_code: ``[B, C]``, added to every content; None for nothing.
            return_maps: Return the attention maps as well.

        Returns:
            Normalised contents, segments, the anchors that every layer hands on (with gradient) and
            the maps.
        """
        anchors = torch.cat([self.centers, self.widths], dim=-1).sigmoid()
        reference = anchor = anchors.expand(len(memory), -1, -1)
        content = memory.new_zeros(len(memory), self.num_queries, self.embed_dims)
        if query_code is not None:
            content = content + query_code[:, None]
        out = DecoderOutputs(states=[], segments=[])
        for index, layer in enumerate(self.layers):
            position, code = self.encode_anchors(anchor, content, scaled=index > 0)
            bias = None if self.relative is None else self.relative(anchor)
            content, self_map, cross_map = layer(
                content, position, code, memory, positions, mask, return_maps, bias
            )
            state = self.norm(content)
            out.states.append(state)
            out.segments.append(refine(reference, self.regressor(state)))
            reference = refine(anchor, self.regressor(content))
            anchor = reference.detach()
            out.references.append(reference)
            if return_maps:
                out.self_maps.append(self_map)
                out.cross_maps.append(cross_map)
        return out

    def encode_anchors(
        self, anchors: Tensor, content: Tensor, scaled: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode anchors for the two kinds of attention.

        Args:
            anchors: ``[B, Q, 2]`` (centre, width) in unit.
            content: ``[B, Q, C]``.
            scaled: Scale the code by the content, as all layers but the first do.

        Returns:
            The position of every query after an MLP, and the code that is compared with those of
            the steps, scaled and modulated by the width; both ``[B, Q, C]``.
        """
        codes = sine_code(anchors, self.code_channels, self.temperature)  # [B, Q, 2, C or C / 2]
        position = self.position_mlp(codes.flatten(2))
        code = codes.flatten(2) if self.qd_layout else codes[..., 0, :]
        if scaled:
            code = code * self.code_scale(content)
        wanted = self.width_mlp(content).sigmoid()
        return position, code * (wanted / anchors[..., 1:].clamp(min=EPS))
