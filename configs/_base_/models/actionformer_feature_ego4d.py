# ActionFormer on Ego4D Moment Queries as in the authors' code: 8 levels, absolute positions.
_base_ = "actionformer_feature.py"
model = dict(
    projection=dict(
        in_channels=1536,
        arch=(2, 2, 7),
        window=9,
        max_seq_len=1024,
        use_abs_pos=True,
        dropout=0.1,
    ),
    neck=dict(num_levels=8),
    head=dict(
        num_classes=110,
        point_generator=dict(type="PointGenerator", num_levels=8, overlapping=True),
        pre_nms_topk=5000,
    ),
)
