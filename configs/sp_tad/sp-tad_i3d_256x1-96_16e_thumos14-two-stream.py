# Published: 53.5 average mAP (tIoU 0.3:0.1:0.7; 69.2 / 63.3 / 55.9 / 45.7 / 33.4).
_base_ = [
    "../_base_/models/sp-tad.py",
    "../_base_/datasets/thumos14_256x1-96_two-stream.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
