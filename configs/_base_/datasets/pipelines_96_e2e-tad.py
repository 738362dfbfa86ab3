# Raw video at 96 x 96 as in E2E-TAD; every length comes from the data set.
#
# E2E-TAD changes colours in half of the clips, each change in half of these, and swaps channels;
# ColorJitter draws every change for itself, within the same range.
train_pipeline = [
    dict(type="OpenVideo", short_side=110),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="RandomCrop", size=96),
    dict(type="ColorJitter", brightness=0.125, hue=0.05, prob=0.25),
    dict(type="RandomRotation", degrees=45),
    dict(type="Flip"),
    dict(type="PackTADInputs"),
]
test_pipeline = [
    dict(type="OpenVideo", short_side=110),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="CenterCrop", size=96),
    dict(type="PackTADInputs"),
]
