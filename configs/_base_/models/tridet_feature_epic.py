# TriDet on EPIC-Kitchens-100: overlapping regression ranges, no noise on the input. These are the
# verbs; nouns set window, k and classes.
_base_ = "tridet_feature.py"
model = dict(
    projection=dict(in_channels=2304, window=5, k=2, mlp_channels=1024, input_noise=0.0),
    head=dict(
        num_classes=97,  # verbs
        point_generator=dict(type="PointGenerator", num_levels=6, overlapping=True),
        iou_power=0.25,
        normalizer_init=250,
        pre_nms_topk=5000,
    ),
)
