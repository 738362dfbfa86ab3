# Detectors with queries and a whole SlowFast on THUMOS14 in the setting of E2E-TAD: AdamW at 1e-4
# and 5e-6 for the backbone, a tenth of it after 14 of 16 epochs, 4 windows a step, gradients
# clipped at 0.1. E2E-TAD also keeps scale and bias of the backbone's batch norms; here they are
# trained.
_base_ = "adamw_query_thumos14.py"
train_cfg = dict(max_epochs=16, val_begin=8, val_interval=2)
optim_wrapper = dict(
    constructor="RoleOptimWrapperConstructor",
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(
        backbone=dict(lr=5e-6, decay_all=True),
        detector=dict(decay_all=True),
    ),
)
param_scheduler = [dict(type="MultiStepLR", milestones=[14], gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=4)
