# Ego4D Moment Queries on EgoVLP features, otherwise as ego4d_slowfast.py.
_base_ = "ego4d_slowfast.py"
features = dict(_delete_=True, path="features/egovlp/{video_id}.npy", channels=256)
train_dataloader = dict(dataset=dict(features=features))
val_dataloader = dict(dataset=dict(features=features))
test_dataloader = val_dataloader
