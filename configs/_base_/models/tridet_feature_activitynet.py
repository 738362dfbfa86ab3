# TriDet on up to 768 steps of ActivityNet-1.3: half the width but for the head, absolute positions,
# one class. Here the authors let the SGP layers live.
_base_ = "tridet_feature.py"
model = dict(
    projection=dict(
        in_channels=512,
        out_channels=256,
        window=15,
        k=1.3,
        mlp_channels=2048,
        init=0.2,
        input_noise=0.5,
        max_seq_len=768,
        use_abs_pos=True,
    ),
    neck=dict(channels=256),
    head=dict(
        num_classes=1,
        in_channels=256,
        feat_channels=512,
        num_bins=12,
        iou_power=1.0,
        label_smoothing=0.1,
        normalizer_init=400,
        min_duration=0.1,
    ),
)
