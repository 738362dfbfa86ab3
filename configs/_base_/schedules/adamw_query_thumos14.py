# Detectors with queries on THUMOS14 in LTP's setting: AdamW at 2e-4, a tenth of it after 80 and
# after 100 of 120 epochs, 16 windows a step, gradients clipped at 0.1. All parameters decay, as in
# DETR. A part with a rate of its own: paramwise_cfg=dict(custom_keys={name: dict(lr_mult=0.1)}).
train_cfg = dict(by_epoch=True, max_epochs=120, val_begin=80, val_interval=5)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=2e-4, weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=0.1),
)
param_scheduler = [dict(type="MultiStepLR", milestones=[80, 100], gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=16, enable=False)
