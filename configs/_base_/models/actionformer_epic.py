# ActionFormer on 768 steps of EPIC-Kitchens-100: local attention, overlapping regression ranges.
_base_ = "actionformer.py"
model = dict(
    projection=dict(window=9, input_dropout=0.2),
    head=dict(
        num_classes=97,  # verbs
        point_generator=dict(
            type="PointGenerator",
            strides=(1, 2, 4, 8, 16, 32),
            regression_ranges=((0, 4), (2, 8), (4, 16), (8, 32), (16, 64), (32, 10000)),
        ),
        loss_weight=0.5,
        normalizer_init=250,
    ),
)
