# ActionFormer on 768 steps of EPIC-Kitchens-100: local attention, overlapping regression ranges.
_base_ = "actionformer.py"
model = dict(
    projection=dict(window=9, input_dropout=0.2),
    head=dict(
        num_classes=97,  # verbs
        point_generator=dict(type="PointGenerator", num_levels=6, overlapping=True),
        loss_weight=0.5,
        normalizer_init=250,
    ),
)
