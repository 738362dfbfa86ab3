# THUMOS14: 1536 frames, every 2nd, at 224 x 224: the same stretch of video as with 768 frames, on
# the same grid of 768 steps, 2 frames a step.
_base_ = ["thumos14.py", "pipelines_224.py"]
lengths = dict(window_size=1536, frame_stride=2, frames_per_step=2)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline, **lengths))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, **lengths))
test_dataloader = val_dataloader
