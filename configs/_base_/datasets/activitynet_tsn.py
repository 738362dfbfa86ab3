# ActivityNet-1.3 on two-stream TSN features, every video squeezed into 100 steps (BMN's lengths).
# The files may hold any number of features, 100 too, so their length is not checked.
_base_ = "activitynet_tsp.py"
feature_set = dict(
    features=dict(path="features/tsn/v_{video_id}.npy", channels=400),
    feature_stride=None,
    clip_frames=0,
    feature_fps=None,
    window_size=100,
)
train_dataloader = dict(dataset=feature_set)
val_dataloader = dict(dataset=feature_set)
test_dataloader = val_dataloader
