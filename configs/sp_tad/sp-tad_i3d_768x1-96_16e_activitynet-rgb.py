# Published: no number for this stream alone. Frames without optical flow.
_base_ = [
    "../_base_/models/sp-tad_rgb.py",
    "../_base_/datasets/activitynet_768-96.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(head=dict(num_classes=200, num_proposals=100, max_per_window=100 * 200))
