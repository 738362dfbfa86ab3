# SP-TAD: AdamW at 1e-4 for everything, the backbone too, a tenth of it after 12 of 16 epochs; 16
# windows a step. The paper does not tell whether gradients are clipped; at 1 as in Sparse R-CNN.
_base_ = "adamw_query_thumos14.py"
train_cfg = dict(max_epochs=16, val_begin=8, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=1e-4), clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type="MultiStepLR", milestones=[12], gamma=0.1, by_epoch=True)]
