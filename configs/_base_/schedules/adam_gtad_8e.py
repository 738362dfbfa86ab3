# G-TAD on THUMOS14: Adam at 1e-4, 8 windows a step, 8 epochs.
_base_ = "adam_gtad_10e.py"
train_cfg = dict(max_epochs=8, val_begin=6)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
auto_scale_lr = dict(base_batch_size=8)
