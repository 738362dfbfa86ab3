# ActivityNet-1.3: 5 epochs of warm-up, then a cosine over 10; 16 videos a step, all GPUs together.
_base_ = "adamw_feature.py"
train_cfg = dict(max_epochs=15, val_begin=7)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
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
auto_scale_lr = dict(base_batch_size=16)
