# DAB-DETR on windows of THUMOS14, the baseline of LTP and Self-DETR: 40 queries, 2 encoder and 4
# decoder layers, width 256. Matching and losses are TadTR's, the default of the head.
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
    ),
    head=dict(
        type="DETRHead",
        num_classes=20,
        encoder=dict(type="DABEncoder", embed_dims=256, num_layers=2, feedforward_channels=1024),
        decoder=dict(
            type="DABDecoder",
            embed_dims=256,
            num_queries=40,
            num_layers=4,
            feedforward_channels=1024,
        ),
    ),
)
