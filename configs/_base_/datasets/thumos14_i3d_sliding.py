# THUMOS14 on two-stream I3D features in sliding windows, for training too. Leaves set `window_size`
# and the overlaps.
_base_ = "thumos14_i3d.py"
train_dataloader = dict(
    batch_size=16,
    dataset=dict(sampling="sliding", window_size=256, window_overlap=0.25, min_visible=0.75),
)
val_dataloader = dict(
    batch_size=16,
    dataset=dict(
        sampling="sliding", window_size=256, window_overlap=0.5, block_list="thumos14_211"
    ),
)
test_dataloader = val_dataloader
