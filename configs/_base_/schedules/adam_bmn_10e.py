# BMN on ActivityNet-1.3: Adam at 1e-3, a tenth of it after 7 epochs; the base convolutions (our
# projection) decay ten times as fast as the rest. OpenTAD tests the weights of the 8th epoch.
_base_ = "adam_gtad_10e.py"
train_cfg = dict(val_begin=8)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(projection=dict(decay_mult=10.0))),
)
param_scheduler = [dict(type="MultiStepLR", milestones=[7], gamma=0.1, by_epoch=True)]
