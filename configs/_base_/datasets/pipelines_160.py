# Raw video at 160 x 160; every length comes from the data set.
train_pipeline = [
    dict(type="OpenVideo", short_side=182),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="RandomResizedCrop", size=160),
    dict(type="Flip"),
    dict(type="RandAugment"),
    dict(type="ColorJitter"),
    dict(type="PackTADInputs"),
]
test_pipeline = [
    dict(type="OpenVideo", short_side=160),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="CenterCrop", size=160),
    dict(type="PackTADInputs"),
]
