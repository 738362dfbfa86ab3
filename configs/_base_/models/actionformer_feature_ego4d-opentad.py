# ActionFormer on Ego4D Moment Queries as in OpenTAD: 9 levels, the last three attend to all steps;
# every matching action gives its class to a point.
_base_ = "actionformer_feature_ego4d.py"
model = dict(
    projection=dict(
        in_channels=2304,
        arch=(2, 2, 8),
        window=[9] * 6 + [-1] * 3,
        input_dropout=0.2,
        preset="opentad",
    ),
    neck=dict(num_levels=9, preset="opentad"),
    head=dict(
        point_generator=dict(num_levels=9, overlapping=True),
        assigner=dict(type="PointAssigner", similar_length=None),
        preset="opentad",
    ),
)
