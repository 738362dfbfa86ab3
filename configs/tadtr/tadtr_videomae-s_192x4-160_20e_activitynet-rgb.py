# Published: no number.
# TadTR on the encoder of AdaTAD.
_base_ = [
    "../_base_/models/tadtr_activitynet.py",
    "../_base_/models/videomae-s.py",
    "../_base_/datasets/activitynet_192x4-160_queries.py",
    "../_base_/schedules/adamw_query_adapters_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=384))
# What decides where attention looks learns at a tenth of the rate.
offsets = dict(lr=1e-5, decay_all=True, match=["offset_proj", "reference_proj"])
optim_wrapper = dict(paramwise_cfg=dict(offsets=offsets))
