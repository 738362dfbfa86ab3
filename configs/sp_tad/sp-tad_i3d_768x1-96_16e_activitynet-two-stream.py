# Published: 32.99 average mAP (tIoU 0.5:0.05:0.95; 50.06 at 0.5, 32.92 at 0.75, 8.44 at 0.95).
_base_ = [
    "../_base_/models/sp-tad_activitynet.py",
    "../_base_/datasets/activitynet_768-96_two-stream.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
