# ActionFormer on EPIC-Kitchens-100: smaller windows, overlapping regression ranges.
_base_ = "actionformer_feature.py"
model = dict(
    projection=dict(in_channels=2304, window=9),
    head=dict(
        num_classes=97,  # verbs
        point_generator=dict(type="PointGenerator", num_levels=6, overlapping=True),
        normalizer_init=250,
        pre_nms_topk=5000,
    ),
)
