# SP-TAD on stages of VideoSwin-B, which all have a step for every second frame; the pyramid halves
# the later ones itself.
_base_ = ["sp-tad.py", "videoswin-b.py"]
model = dict(
    data_preprocessor=dict(_delete_=True, type="TADDataPreprocessor", defer_normalization=True),
    backbone=dict(
        _delete_=True,
        type="StageEncoder",
        backbone=_base_.encoder.backbone,
        checkpointing=True,
        pretrained=_base_.encoder.pretrained,
    ),
    head=dict(pyramid=dict(in_channels=[256, 512, 1024])),
)
encoder = None
