# VideoMAE-S, frozen, with a TIA adapter after every block.
encoder = dict(
    type="VideoEncoder",
    backbone=dict(
        type="mmaction.VisionTransformer",
        img_size=224,
        patch_size=16,
        embed_dims=384,
        depth=12,
        num_heads=6,
        mlp_ratio=4,
        qkv_bias=True,
        num_frames=16,
        drop_path_rate=0.1,
        norm_cfg=dict(type="LN", eps=1e-6),
        return_feat_map=True,
    ),
    adapter=dict(type="TIA"),
    checkpointing=True,
    clips_per_group=8,
    pretrained="checkpoints/vit-small-p16_videomae-k400-pre_16x4x1_kinetics-400.pth",
)
