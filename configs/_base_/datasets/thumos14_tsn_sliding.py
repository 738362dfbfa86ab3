# THUMOS14 on two-stream TSN features (G-TAD's files): one per frame, of which every 5th is taken.
# Their times count from the frame itself (`clip_frames=0`). Leaves set `window_size` and the
# overlaps.
_base_ = "thumos14_i3d_sliding.py"
feature_set = dict(
    features=dict(path="features/tsn/{video_id}.npy", channels=2048),
    feature_stride=1,
    step_stride=5,
    clip_frames=0,
    window_size=128,
)
train_dataloader = dict(dataset=feature_set)
val_dataloader = dict(dataset=feature_set)
test_dataloader = val_dataloader
