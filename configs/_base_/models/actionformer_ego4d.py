# ActionFormer on Ego4D Moment Queries: ten levels, absolute positions, and every matching action
# gives its class to a point. Up to 1024 steps.
_base_ = "actionformer.py"
model = dict(
    projection=dict(
        arch=(2, 2, 9),
        window=[17] * 7 + [-1] * 3,
        max_seq_len=1024,
        use_abs_pos=True,
        input_dropout=0.2,
        dropout=0.1,
    ),
    neck=dict(num_levels=10),
    head=dict(
        num_classes=110,
        point_generator=dict(type="PointGenerator", num_levels=10, overlapping=True),
        assigner=dict(type="PointAssigner", similar_length=None),
    ),
)
