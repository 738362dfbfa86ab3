from .attention import global_attention, local_attention
from .attention_maps import AttentionMaps, DecoderOutputs
from .dab_attention import DABCrossAttention, DABSelfAttention
from .dab_decoder import DABDecoder
from .dab_encoder import DABEncoder
from .deformable_attention import DeformableAttention
from .deformable_decoder import DeformableDecoder
from .deformable_encoder import DeformableEncoder
from .drop_path import LevelScale, ScaledDropPath
from .feed_forward import FeedForward
from .gcnext import GCNeXt, gather_steps, mean_of_neighbours, nearest_steps
from .masked_conv import (
    ChannelLayerNorm,
    MaskedConv1d,
    MaskedConvUnit,
    MaskedMaxPool1d,
    downsample_mask,
    fill_padding,
    pool_mask,
    step_ratio,
    zero_padding,
)
from .mlp import MLP
from .multihead_attention import MultiheadAttention, attend
from .pair_pooling import halve
from .position import AbsolutePosition, sinusoid_table
from .presets import PRESETS, PyramidPreset, resolve_preset
from .query_presets import QUERY_PRESETS, QueryPreset, resolve_query_preset
from .relative_attention import RelativeAnchorBias, RelativeTimeBias
from .sgp import SGP_INITS, MaskedGroupNorm, SGPBlock, SGPLayer, resolve_sgp_init
from .sine_position import SinePosition, sine_code, unit_positions
from .transformer_block import ConvTransformerBlock, MaskedConvAttention

__all__ = [
    "MLP",
    "PRESETS",
    "QUERY_PRESETS",
    "SGP_INITS",
    "AbsolutePosition",
    "AttentionMaps",
    "ChannelLayerNorm",
    "ConvTransformerBlock",
    "DABCrossAttention",
    "DABDecoder",
    "DABEncoder",
    "DABSelfAttention",
    "DecoderOutputs",
    "DeformableAttention",
    "DeformableDecoder",
    "DeformableEncoder",
    "FeedForward",
    "GCNeXt",
    "LevelScale",
    "MaskedConv1d",
    "MaskedConvAttention",
    "MaskedConvUnit",
    "MaskedGroupNorm",
    "MaskedMaxPool1d",
    "MultiheadAttention",
    "PyramidPreset",
    "QueryPreset",
    "RelativeAnchorBias",
    "RelativeTimeBias",
    "SGPBlock",
    "SGPLayer",
    "ScaledDropPath",
    "SinePosition",
    "attend",
    "downsample_mask",
    "fill_padding",
    "gather_steps",
    "global_attention",
    "halve",
    "local_attention",
    "mean_of_neighbours",
    "nearest_steps",
    "pool_mask",
    "resolve_preset",
    "resolve_query_preset",
    "resolve_sgp_init",
    "sine_code",
    "sinusoid_table",
    "step_ratio",
    "unit_positions",
    "zero_padding",
]
