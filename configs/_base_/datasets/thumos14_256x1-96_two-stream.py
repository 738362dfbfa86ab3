# THUMOS14 as in thumos14_256x1-96.py, with the optical flow behind the frames: 5 channels, for
# TwoStreamI3D. The flow is read from data/thumos14/flow, made by
#     python tools/data/extract_flow.py data/thumos14/videos --out data/thumos14/flow
# Leave `flow` out of data_prefix to have it made while loading, as the inferencer does.
#
# The model takes both scaled to [-1, 1]: data_preprocessor=dict(mean=[127.5] * 5, std=[127.5] * 5).
_base_ = "thumos14_256x1-96.py"
flow = dict(type="LoadFlow", method="dis", bound=20, fps=10, size=112)
train_pipeline = _base_.train_pipeline[:3] + [flow] + _base_.train_pipeline[3:]
test_pipeline = _base_.test_pipeline[:3] + [flow] + _base_.test_pipeline[3:]
folders = dict(video="videos", flow="flow")
train_dataloader = dict(dataset=dict(data_prefix=folders, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_prefix=folders, pipeline=test_pipeline))
test_dataloader = val_dataloader
