# Published: 69.27 average mAP (tIoU 0.3:0.1:0.7).
# 20 epochs of warm-up, then a cosine over 20.
_base_ = [
    "../_base_/models/tridet_feature.py",
    "../_base_/datasets/thumos14_i3d.py",
    "../_base_/schedules/adamw_feature.py",
    "../_base_/default_runtime.py",
]
train_cfg = dict(max_epochs=40, val_begin=30)
optim_wrapper = dict(optimizer=dict(weight_decay=0.025))
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=20, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=20,
        end=40,
        T_max=20,
        convert_to_iter_based=True,
    ),
]
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5), max_per_video=2000))
test_evaluator = val_evaluator
