# ActionFormer on features as in the authors' code: local attention on up to 2304 steps at once.
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=2048,
        window=19,
        max_seq_len=2304,
        preset="official",
    ),
    neck=dict(type="FPNIdentity", preset="official"),
    head=dict(type="ActionFormerHead", num_classes=20, preset="official"),
)
