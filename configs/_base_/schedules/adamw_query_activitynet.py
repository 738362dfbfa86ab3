# Detectors with queries on ActivityNet-1.3 in LTP's setting: AdamW at 1e-4, 5 epochs of linear
# warm-up, then a cosine over 15; 16 videos a step.
_base_ = "adamw_query_thumos14.py"
train_cfg = dict(max_epochs=20, val_begin=10, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
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
