# Ego4D Moment Queries on SlowFast, Omnivore and EgoVLP features, one after the other along the
# channels; otherwise as ego4d_slowfast.py.
_base_ = "ego4d_slowfast.py"
features = [
    dict(path="features/slowfast/{video_id}.npy", channels=2304),
    dict(path="features/omnivore/{video_id}.npy", channels=1536),
    dict(path="features/egovlp/{video_id}.npy", channels=256),
]
train_dataloader = dict(dataset=dict(features=features))
val_dataloader = dict(dataset=dict(features=features))
test_dataloader = val_dataloader
