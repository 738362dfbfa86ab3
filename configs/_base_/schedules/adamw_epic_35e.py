# EPIC-Kitchens-100: 5 epochs of warm-up, then a cosine with a horizon of 250 epochs, stopped
# after 35: the learning rate hardly falls.
_base_ = "adamw.py"
train_cfg = dict(by_epoch=True, max_epochs=35, val_begin=19, val_interval=2)
optim_wrapper = dict(paramwise_cfg=dict(adapter=dict(lr=8e-5)))
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=35,
        T_max=245,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=2, enable=False)
