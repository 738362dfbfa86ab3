# Published: 50.3 average mAP (tIoU 0.3:0.1:0.7; 70.5 / 64.3 / 53.9 / 39.3 / 23.8), as reproduced
# in LTP.
_base_ = [
    "../_base_/models/dab-detr.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adamw_query_thumos14.py",
    "../_base_/runtime_without_ema.py",
]
