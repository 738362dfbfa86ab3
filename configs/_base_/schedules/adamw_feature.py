# Detectors on features: single precision, AdamW, gradients clipped; 5 epochs of linear warm-up,
# then a cosine over 30, as ActionFormer on THUMOS14. Epochs include the warm-up. A leaf with other
# lengths sets train_cfg and param_scheduler.
train_cfg = dict(by_epoch=True, max_epochs=35, val_begin=20, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="RoleOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=35,
        T_max=30,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=2, enable=False)
