# Deformable-DETR and TadTR in LTP's setting: what decides where attention looks learns at a tenth
# of the rate.
_base_ = "adamw_query_thumos14.py"
optim_wrapper = dict(
    constructor="RoleOptimWrapperConstructor",
    paramwise_cfg=dict(
        offsets=dict(lr=2e-5, decay_all=True, match=["offset_proj", "reference_proj"]),
        detector=dict(decay_all=True),
    ),
)
