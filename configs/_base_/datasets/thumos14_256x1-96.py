# THUMOS14 from raw video in the setting of AFSD and SP-TAD: windows of 256 frames at 10 frames per
# second (25.6 s), each a step of the grid. Windows begin every 30 frames in training and every 128
# in testing; a training window counts an action of which it shows half. (AFSD drops training
# windows that hold no action whole.) The suppression is AFSD's.
_base_ = ["thumos14.py", "pipelines_96.py"]
windows = dict(sampling="sliding", window_size=256, frame_stride=1, sample_fps=10)
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    dataset=dict(
        **windows,
        window_overlap=1 - 30 / 256,
        min_visible=0.5,
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(**windows, window_overlap=0.5, pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5), max_per_video=5000))
test_evaluator = val_evaluator
