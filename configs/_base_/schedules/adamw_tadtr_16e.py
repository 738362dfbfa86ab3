# TadTR's own setting on THUMOS14: a tenth of the rate after 14 of 16 epochs.
_base_ = "adamw_deformable_thumos14.py"
train_cfg = dict(max_epochs=16, val_begin=10, val_interval=1)
param_scheduler = [dict(type="MultiStepLR", milestones=[14], gamma=0.1, by_epoch=True)]
