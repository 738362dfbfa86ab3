# Ego4D as in the paper: 5 epochs of warm-up, then a cosine over 10. The paper searched the
# adapters' rate from 5e-5 to 5e-4 and does not say which won; the released code has 4e-4.
_base_ = "adamw.py"
train_cfg = dict(by_epoch=True, max_epochs=15, val_begin=8, val_interval=1)
optim_wrapper = dict(paramwise_cfg=dict(adapter=dict(lr=4e-4)))
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
auto_scale_lr = dict(base_batch_size=2, enable=False)
