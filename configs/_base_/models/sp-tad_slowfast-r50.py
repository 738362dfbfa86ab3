# SP-TAD on stages of SlowFast-R50. Both pathways are joined at every second frame, the rate of
# I3D's finest stage; the pyramid halves the later stages itself.
_base_ = ["sp-tad.py", "slowfast-r50.py"]
model = dict(
    data_preprocessor=dict(_delete_=True, type="TADDataPreprocessor", defer_normalization=True),
    backbone=dict(
        _delete_=True,
        type="StageEncoder",
        backbone=_base_.encoder.backbone,
        step_frames=2,
        checkpointing=True,
        pretrained=_base_.encoder.pretrained,
    ),
    head=dict(pyramid=dict(in_channels=[576, 1152, 2304])),
)
encoder = None
