# Published: no number for these streams alone. Frames without optical flow.
_base_ = [
    "../_base_/models/sp-tad_rgb.py",
    "../_base_/datasets/thumos14_256x1-96.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
