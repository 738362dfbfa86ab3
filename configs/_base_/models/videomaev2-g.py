# VideoMAEv2-g, frozen, with a TIA adapter after every block.
_base_ = "videomae-s.py"
encoder = dict(
    backbone=dict(patch_size=14, embed_dims=1408, depth=40, num_heads=16, mlp_ratio=48 / 11),
    # Half the memory for rounding errors of bfloat16; the leaves compute in it too.
    stream_dtype="bfloat16",
    frozen_dtype="bfloat16",
    pretrained="checkpoints/vit_g_hybrid_pt_1200e_k710_ft.pth",
    pretrained_source="videomae",
)
