# ActivityNet-1.3 from raw video in the setting of AFSD and SP-TAD: every video squeezed into 768
# frames, each a step of the grid, and these to 112 x 112, of which 96 x 96 are seen. One class,
# "action", as in activitynet.py.
#
# An I3D takes them scaled to [-1, 1]: data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3).
_base_ = "activitynet.py"
train_pipeline = [
    dict(type="OpenVideo", short_side=112),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="ResizeClip", size=112),
    dict(type="RandomCrop", size=96),
    dict(type="Flip"),
    dict(type="PackTADInputs", class_agnostic=True),
]
test_pipeline = [
    dict(type="OpenVideo", short_side=112),
    dict(type="SampleFrames"),
    dict(type="DecodeFrames"),
    dict(type="ResizeClip", size=112),
    dict(type="CenterCrop", size=96),
    dict(type="PackTADInputs"),
]
frames = dict(window_size=768, frames_per_step=1)
train_dataloader = dict(dataset=dict(**frames, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**frames, pipeline=test_pipeline))
test_dataloader = val_dataloader
