# TriDet on features as in the authors' code, with the settings of THUMOS14. `init="published"` has
# the SGP layers dead for the whole training (see configs/tridet/README.md).
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    projection=dict(
        type="SGPProjection",
        in_channels=2048,
        window=1,
        k=5,
        mlp_channels=768,
        init="published",
        input_noise=5e-4,
        max_seq_len=2304,
        preset="official",
    ),
    neck=dict(type="FPNIdentity", preset="official"),
    head=dict(
        type="TridentHead",
        num_classes=20,
        num_bins=16,
        iou_power=0.2,
        normalizer_init=100,
        preset="official",
    ),
)
