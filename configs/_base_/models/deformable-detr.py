# Deformable-DETR on windows of THUMOS14 in LTP's setting: 40 queries, 2 encoder and 4 decoder
# layers, width 256. The layers are those of TadTR, and so are matching and losses, the default of
# the head.
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor", defer_normalization=True),
    projection=dict(
        type="ConvProjection",
        in_channels=2048,
        out_channels=256,
        num_convs=1,
        kernel_size=1,
        groups=1,
        activation=False,
        norm_groups=32,
        init_cfg=dict(type="Xavier", layer="Conv1d", distribution="uniform"),
    ),
    head=dict(
        type="DETRHead",
        num_classes=20,
        encoder=dict(
            type="DeformableEncoder", embed_dims=256, num_layers=2, feedforward_channels=1024
        ),
        decoder=dict(
            type="DeformableDecoder",
            embed_dims=256,
            num_queries=40,
            num_layers=4,
            feedforward_channels=1024,
        ),
        shared_classifier=False,
    ),
)
