# VideoMAE-H, frozen, with a TIA adapter after every block.
_base_ = "videomae-s.py"
encoder = dict(
    backbone=dict(embed_dims=1280, depth=32, num_heads=16),
    # Half the memory for rounding errors of bfloat16; the leaves compute in it too.
    stream_dtype="bfloat16",
    frozen_dtype="bfloat16",
    pretrained="checkpoints/vit-huge-p16_videomae-k400-pre_16x4x1_kinetics-400.pth",
)
