# Ego4D Moment Queries: 900 steps of 8 frames at 160 x 160.
_base_ = ["ego4d.py", "pipelines_160.py"]
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline, frames_per_step=8))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, frames_per_step=8))
test_dataloader = val_dataloader
