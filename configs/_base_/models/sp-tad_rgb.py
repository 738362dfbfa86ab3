# SP-TAD on frames alone: the stream of I3D that sees them.
_base_ = "sp-tad.py"
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        backbone=dict(_delete_=True, type="InceptionI3D", pretrained="checkpoints/rgb_imagenet.pt")
    ),
    head=dict(pyramid=dict(in_channels=[480, 832, 1024])),
)
