# Published: no number on features; the paper's frozen backbone, with its intermediate stages, has
# 48.0 average mAP.
_base_ = [
    "../_base_/models/sp-tad_feature.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(dataset=dict(window_overlap=1 - 15 / 128, min_visible=0.5))
val_dataloader = dict(dataset=dict(window_overlap=0.5))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5), max_per_video=5000))
test_evaluator = val_evaluator
