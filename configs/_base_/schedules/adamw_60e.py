# THUMOS14: AdamW with a role for each part; linear warm-up of 5 epochs, then a cosine whose horizon
# (100 epochs) lies beyond the last epoch: the learning rate never reaches its floor, as in the
# released AdaTAD code. Leaves that train VideoMAE-S set its adapters to 2e-4.
_base_ = "adamw.py"
train_cfg = dict(by_epoch=True, max_epochs=60, val_begin=40, val_interval=2)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=60,
        T_max=95,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=2, enable=False)
