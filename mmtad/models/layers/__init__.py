from .attention import global_attention, local_attention
from .drop_path import LevelScale, ScaledDropPath
from .masked_conv import (
    ChannelLayerNorm,
    MaskedConv1d,
    MaskedConvUnit,
    MaskedMaxPool1d,
    downsample_mask,
    fill_padding,
    zero_padding,
)
from .position import AbsolutePosition, sinusoid_table
from .presets import PRESETS, PyramidPreset, resolve_preset
from .transformer_block import ConvTransformerBlock, MaskedConvAttention

__all__ = [
    "PRESETS",
    "AbsolutePosition",
    "ChannelLayerNorm",
    "ConvTransformerBlock",
    "LevelScale",
    "MaskedConv1d",
    "MaskedConvAttention",
    "MaskedConvUnit",
    "MaskedMaxPool1d",
    "PyramidPreset",
    "ScaledDropPath",
    "downsample_mask",
    "fill_padding",
    "global_attention",
    "local_attention",
    "resolve_preset",
    "sinusoid_table",
    "zero_padding",
]
