# ActivityNet-1.3 as in activitynet_768-96.py, with the optical flow between the 768 frames behind
# them: 5 channels, for TwoStreamI3D. The flow is read from data/activitynet/flow, made by
#     python tools/data/extract_flow.py data/activitynet/videos --out data/activitynet/flow \
#         --frames 768
# Leave `flow` out of data_prefix to have it made while loading, as the inferencer does.
#
# The model takes both scaled to [-1, 1]: data_preprocessor=dict(mean=[127.5] * 5, std=[127.5] * 5).
_base_ = "activitynet_768-96.py"
flow = dict(type="LoadFlow", method="dis", bound=20, fps=None, frames=768, size=112)
train_pipeline = _base_.train_pipeline[:3] + [flow] + _base_.train_pipeline[3:]
test_pipeline = _base_.test_pipeline[:3] + [flow] + _base_.test_pipeline[3:]
folders = dict(video="videos", flow="flow")
train_dataloader = dict(dataset=dict(data_prefix=folders, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_prefix=folders, pipeline=test_pipeline))
test_dataloader = val_dataloader
