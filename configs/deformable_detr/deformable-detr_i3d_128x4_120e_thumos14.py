# Published: 53.2 average mAP (tIoU 0.3:0.1:0.7; 71.5 / 66.0 / 55.5 / 43.5 / 29.6), as reproduced
# in LTP.
_base_ = [
    "../_base_/models/deformable-detr.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adamw_deformable_thumos14.py",
    "../_base_/runtime_without_ema.py",
]
