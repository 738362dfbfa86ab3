# Published: 56.7 average mAP (tIoU 0.3:0.1:0.7), which LTP quotes from TadTR. This is LTP's
# setting, in which it trains all its detectors with queries: 2 encoder layers and 120 epochs.
_base_ = [
    "../_base_/models/tadtr.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adamw_deformable_thumos14.py",
    "../_base_/runtime_without_ema.py",
]
