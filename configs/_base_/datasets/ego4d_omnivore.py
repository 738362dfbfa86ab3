# Ego4D Moment Queries on Omnivore features, otherwise as ego4d_slowfast.py.
_base_ = "ego4d_slowfast.py"
features = dict(_delete_=True, path="features/omnivore/{video_id}.npy", channels=1536)
train_dataloader = dict(dataset=dict(features=features))
val_dataloader = dict(dataset=dict(features=features))
test_dataloader = val_dataloader
