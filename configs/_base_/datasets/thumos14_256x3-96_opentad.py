# THUMOS14 from raw video as OpenTAD trains TadTR end to end: 256 frames, every third, 96 x 96, two
# for each of 128 steps. Windows share a quarter with the next one in training, three in testing.
_base_ = "thumos14.py"
windows = dict(sampling="sliding", window_size=256, frame_stride=3, frames_per_step=2)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(
        **windows,
        window_overlap=0.25,
        min_visible=0.75,
        pipeline=[
            dict(type="OpenVideo", short_side=110),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            dict(type="RandomResizedCrop", size=96),
            dict(type="Flip"),
            dict(type="PackTADInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(
        **windows,
        window_overlap=0.75,
        pipeline=[
            dict(type="OpenVideo", short_side=96),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            dict(type="CenterCrop", size=96),
            dict(type="PackTADInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.4), max_per_video=2000))
test_evaluator = val_evaluator
