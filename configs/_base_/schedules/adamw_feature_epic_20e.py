# 5 epochs of warm-up, then a cosine over 15: OpenTAD on EPIC-Kitchens-100.
_base_ = "adamw_feature.py"
train_cfg = dict(max_epochs=20, val_begin=12)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=20,
        T_max=15,
        convert_to_iter_based=True,
    ),
]
