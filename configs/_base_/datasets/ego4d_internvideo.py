# Ego4D Moment Queries on InternVideo features (VideoMAE-L): one of 16 frames every 8 frames at 30
# frames per second. Training cuts windows of up to 2048 steps, enough for a clip of 8 minutes.
_base_ = "ego4d_slowfast.py"
feature_set = dict(
    features=dict(path="features/internvideo/{video_id}.npy", channels=1024),
    feature_stride=8,
    clip_frames=16,
    window_size=2048,
)
train_dataloader = dict(dataset=feature_set)
val_dataloader = dict(dataset=feature_set)
test_dataloader = val_dataloader
