# THUMOS14: 768 frames, every 4th, at 224 x 224.
_base_ = ["thumos14.py", "pipelines_224.py"]
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
