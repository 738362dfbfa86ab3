# ActionFormer with global attention on a grid of 768 steps, as AdaTAD uses it on THUMOS14. A leaf
# puts one of the encoders beside this file below it: model = dict(backbone=_base_.encoder, ..).
model = dict(
    type="TADDetector",
    # Frames stay uint8 until the backbone needs them: a quarter of the memory, the same numbers.
    data_preprocessor=dict(type="TADDataPreprocessor", defer_normalization=True),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=0,  # the encoder's; every leaf sets it
        window=-1,
        max_seq_len=768,
        preset="opentad",
    ),
    neck=dict(type="FPNIdentity", preset="opentad"),
    head=dict(type="ActionFormerHead", num_classes=20, preset="opentad"),
)
