# TriDet on a grid of 768 steps behind an encoder. A leaf puts one of the encoders beside this file
# below it: model = dict(backbone=_base_.encoder, ..). The SGP layers are dead by their init, as in
# the published numbers on THUMOS14 (see configs/tridet/README.md).
model = dict(
    type="TADDetector",
    # Frames stay uint8 until the backbone needs them: a quarter of the memory, the same numbers.
    data_preprocessor=dict(type="TADDataPreprocessor", defer_normalization=True),
    projection=dict(
        type="SGPProjection",
        in_channels=0,  # the encoder's; every leaf sets it
        init="published",
        max_seq_len=768,
        preset="opentad",
    ),
    neck=dict(type="FPNIdentity", preset="opentad"),
    head=dict(type="TridentHead", num_classes=20, preset="opentad"),
)
