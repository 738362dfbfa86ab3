# Ego4D Moment Queries: 1800 steps of 4 frames at 192 x 192.
_base_ = ["ego4d.py", "pipelines_192.py"]
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline, frames_per_step=4))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline, frames_per_step=4))
test_dataloader = val_dataloader
