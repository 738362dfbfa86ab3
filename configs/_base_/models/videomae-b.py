# VideoMAE-B, frozen, with a TIA adapter after every block.
_base_ = "videomae-s.py"
encoder = dict(
    backbone=dict(embed_dims=768, depth=12, num_heads=12),
    pretrained="checkpoints/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400_20221013-860a3cd3.pth",
)
