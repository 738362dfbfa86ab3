# What all AdaTAD schedules share: mixed precision, AdamW with a role for each part, gradients
# clipped. Adapters decay whole, biases and scales too. All as in the released code.
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="AmpOptimWrapper",
    dtype="float16",
    constructor="RoleOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(adapter=dict(lr=1e-4, weight_decay=0.05, decay_all=True)),
    clip_grad=dict(max_norm=1.0),
)
