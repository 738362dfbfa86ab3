# Published: 25.51 average mAP (tIoU 0.1:0.1:0.5), 25.4 in the paper's table.
# 5 epochs of warm-up, then a cosine over 22 that ends at half the rate.
_base_ = [
    "../_base_/models/tridet_feature_epic.py",
    "../_base_/datasets/epic-verb_slowfast.py",
    "../_base_/schedules/adamw_feature.py",
    "../_base_/default_runtime.py",
]
train_cfg = dict(max_epochs=27, val_begin=16)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=5e-5,
        begin=5,
        end=27,
        T_max=22,
        convert_to_iter_based=True,
    ),
]
