# TadTR on THUMOS14 in OpenTAD's setting: a tenth of the rate after 14 of 17 epochs, 8 windows a
# step.
_base_ = "adamw_tadtr_16e.py"
train_cfg = dict(max_epochs=17, val_begin=12)
auto_scale_lr = dict(base_batch_size=8)
