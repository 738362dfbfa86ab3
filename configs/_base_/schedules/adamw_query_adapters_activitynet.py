# Detectors with queries and the adapters of AdaTAD on ActivityNet-1.3: the adapters in mixed
# precision at AdaTAD's rate and decay, the detector as LTP trains it; 16 videos a step.
_base_ = "adamw_query_activitynet.py"
optim_wrapper = dict(
    type="AmpOptimWrapper",
    dtype="float16",
    constructor="RoleOptimWrapperConstructor",
    paramwise_cfg=dict(
        adapter=dict(lr=1e-4, weight_decay=0.05, decay_all=True),
        detector=dict(decay_all=True),
    ),
)
