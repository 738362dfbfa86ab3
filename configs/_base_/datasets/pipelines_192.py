# Raw video at 192 x 192; every length comes from the data set.
train_pipeline = [
    dict(type="OpenVideo", short_side=220),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="RandomResizedCrop", size=192),
    dict(type="Flip"),
    dict(type="RandAugment"),
    dict(type="ColorJitter"),
    dict(type="PackTADInputs"),
]
test_pipeline = [
    dict(type="OpenVideo", short_side=192),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="CenterCrop", size=192),
    dict(type="PackTADInputs"),
]
