# Raw video at 224 x 224; every length comes from the data set.
train_pipeline = [
    dict(type="OpenVideo", short_side=256),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="RandomResizedCrop", size=224),
    dict(type="Flip"),
    dict(type="RandAugment"),
    dict(type="ColorJitter"),
    dict(type="PackTADInputs"),
]
test_pipeline = [
    dict(type="OpenVideo", short_side=224),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="CenterCrop", size=224),
    dict(type="PackTADInputs"),
]
