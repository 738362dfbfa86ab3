# ActionFormer on 192 steps of ActivityNet-1.3: half the width, absolute positions, one class.
_base_ = "actionformer.py"
model = dict(
    projection=dict(out_channels=256, max_seq_len=192, use_abs_pos=True),
    neck=dict(channels=256),
    head=dict(
        num_classes=1,
        in_channels=256,
        feat_channels=256,
        label_smoothing=0.1,
        loss_weight=2.0,
        normalizer_init=200,
        score_threshold=0.0,  # with one class OpenTAD takes every point to the suppression
    ),
)
