# Published: 35.10 average mAP (tIoU 0.5:0.05:0.95) in E2E-TAD, 11 GB. Frames, encoder and rate of
# the backbone are E2E-TAD's, whose code for ActivityNet is not public; the rest is LTP's setting.
_base_ = [
    "../_base_/models/tadtr_activitynet.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/activitynet_96x4-96_e2e-tad.py",
    "../_base_/schedules/adamw_query_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    backbone=dict(_base_.encoder, frozen=False, adapter=None),
    projection=dict(in_channels=2304),
)
# What decides where attention looks learns at a tenth of the rate.
optim_wrapper = dict(
    constructor="RoleOptimWrapperConstructor",
    paramwise_cfg=dict(
        backbone=dict(lr=5e-6, decay_all=True),
        detector=dict(decay_all=True),
        offsets=dict(lr=1e-5, decay_all=True, match=["offset_proj", "reference_proj"]),
    ),
)
