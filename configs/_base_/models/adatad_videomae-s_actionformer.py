# AdaTAD: frozen VideoMAE-S with a TIA adapter after every block, ActionFormer with global
# attention on top.
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    backbone=dict(
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
    ),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=384,
        window=-1,
        max_seq_len=768,
        input_dropout=0.2,
        preset="opentad",
    ),
    neck=dict(type="FPNIdentity", preset="opentad"),
    head=dict(type="ActionFormerHead", num_classes=20, preset="opentad"),
)
