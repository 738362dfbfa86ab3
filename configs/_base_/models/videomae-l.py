# VideoMAE-L, frozen, with a TIA adapter after every block.
_base_ = "videomae-s.py"
encoder = dict(
    backbone=dict(embed_dims=1024, depth=24, num_heads=16),
    pretrained="checkpoints/vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400_20221013-229dbb03.pth",
)
