# Ego4D as in the released code: 5 epochs of warm-up, then a cosine with a horizon of 25 epochs,
# stopped after 20.
_base_ = "adamw.py"
train_cfg = dict(by_epoch=True, max_epochs=20, val_begin=12, val_interval=1)
optim_wrapper = dict(paramwise_cfg=dict(adapter=dict(lr=4e-4)))
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=20,
        T_max=20,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=2, enable=False)
