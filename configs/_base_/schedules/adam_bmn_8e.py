# BMN on THUMOS14: Adam at 1e-4, a tenth of it after 5 epochs, 16 windows a step, 8 epochs.
_base_ = "adam_bmn_10e.py"
train_cfg = dict(max_epochs=8, val_begin=6)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [dict(type="MultiStepLR", milestones=[5], gamma=0.1, by_epoch=True)]
