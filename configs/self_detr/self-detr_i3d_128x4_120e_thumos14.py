# Published: 56.7 average mAP (tIoU 0.3:0.1:0.7; 74.6 / 69.5 / 60.0 / 47.6 / 31.8), as listed in
# LTP.
_base_ = [
    "../_base_/models/self-detr.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adam_query_thumos14.py",
    "../_base_/runtime_without_ema.py",
]
