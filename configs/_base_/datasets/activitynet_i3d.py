# ActivityNet-1.3 on two-stream I3D features (one of 16 frames every 16 frames at 25 frames per
# second), every video squeezed into 192 steps.
_base_ = "activitynet_tsp.py"
feature_set = dict(
    features=dict(path="features/i3d/v_{video_id}.npy", channels=2048), feature_fps=25
)
train_dataloader = dict(dataset=feature_set)
val_dataloader = dict(dataset=feature_set)
test_dataloader = val_dataloader
