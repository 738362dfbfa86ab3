# Published: no number for these streams alone. Frames without optical flow.
_base_ = [
    "../_base_/models/sp-tad_rgb.py",
    "../_base_/datasets/thumos14_256x1-96.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5), max_per_video=5000))
test_evaluator = val_evaluator
