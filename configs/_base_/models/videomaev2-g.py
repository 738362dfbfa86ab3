# VideoMAEv2-g, frozen, with a TIA adapter after every block.
_base_ = "videomae-s.py"
encoder = dict(
    backbone=dict(patch_size=14, embed_dims=1408, depth=40, num_heads=16, mlp_ratio=48 / 11),
    # Half the memory for rounding errors of bfloat16, beside mixed precision in the leaves.
    clips_per_group=8,
    stream_dtype="bfloat16",
    frozen_dtype="bfloat16",
    pretrained="checkpoints/vit_g_hybrid_pt_1200e_k710_ft.pth",
    pretrained_source="videomae",
)
