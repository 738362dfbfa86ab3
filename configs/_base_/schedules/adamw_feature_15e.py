# 5 epochs of warm-up, then a cosine over 10: ActionFormer on Ego4D.
_base_ = "adamw_feature.py"
train_cfg = dict(max_epochs=15, val_begin=8)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=15,
        T_max=10,
        convert_to_iter_based=True,
    ),
]
