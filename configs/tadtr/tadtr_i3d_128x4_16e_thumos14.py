# Published: 56.7 average mAP (tIoU 0.3:0.1:0.7; 74.8 / 69.1 / 60.1 / 46.6 / 32.8). TadTR's own
# setting: 4 encoder layers, dense windows in training, suppression only where two windows overlap.
_base_ = [
    "../_base_/models/tadtr.py",
    "../_base_/datasets/thumos14_i3d_windows_dense.py",
    "../_base_/schedules/adamw_tadtr_16e.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(head=dict(encoder=dict(num_layers=4), merge_labels=False, max_per_window=100))
