# Detectors with queries and the adapters of AdaTAD on THUMOS14: the adapters in mixed precision at
# AdaTAD's rate and decay for VideoMAE-S, the detector as LTP trains it (a tenth of the rate after
# 80 and after 100 of 120 epochs, gradients clipped at 0.1) at 1e-4. Two windows a step, one of
# every video an epoch: 12,000 steps in all, and E2E-TAD takes about 16,000.
_base_ = "adamw_query_thumos14.py"
optim_wrapper = dict(
    type="AmpOptimWrapper",
    dtype="float16",
    constructor="RoleOptimWrapperConstructor",
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(
        adapter=dict(lr=2e-4, weight_decay=0.05, decay_all=True),
        detector=dict(decay_all=True),
    ),
)
auto_scale_lr = dict(base_batch_size=2)
