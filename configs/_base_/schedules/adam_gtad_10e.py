# G-TAD on ActivityNet-1.3: Adam at 4e-3, a tenth of it after 5 epochs, 16 videos a step. All
# parameters decay, biases too. The published numbers are those of the 8th epoch.
train_cfg = dict(by_epoch=True, max_epochs=10, val_begin=5, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="Adam", lr=4e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [dict(type="MultiStepLR", milestones=[5], gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=16, enable=False)
