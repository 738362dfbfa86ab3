# Raw video at 96 x 96 as in AFSD and SP-TAD: frames squeezed to 112 x 112, of which 96 x 96 are
# seen; every length comes from the data set.
#
# An I3D takes them scaled to [-1, 1]: data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3).
train_pipeline = [
    dict(type="OpenVideo", short_side=112),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="ResizeClip", size=112),
    dict(type="RandomCrop", size=96),
    dict(type="Flip"),
    dict(type="PackTADInputs"),
]
test_pipeline = [
    dict(type="OpenVideo", short_side=112),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="ResizeClip", size=112),
    dict(type="CenterCrop", size=96),
    dict(type="PackTADInputs"),
]
