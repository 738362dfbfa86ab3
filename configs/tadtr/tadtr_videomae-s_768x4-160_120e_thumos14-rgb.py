# Published: no number.
# TadTR on the encoder and the windows of AdaTAD, four times as long as with SlowFast.
_base_ = [
    "../_base_/models/tadtr.py",
    "../_base_/models/videomae-s.py",
    "../_base_/datasets/thumos14_768x4-160_queries.py",
    "../_base_/schedules/adamw_query_adapters.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    backbone=_base_.encoder,
    projection=dict(in_channels=384),
    head=dict(decoder=dict(num_queries=100)),
)
# What decides where attention looks learns at a tenth of the rate.
offsets = dict(lr=1e-5, decay_all=True, match=["offset_proj", "reference_proj"])
optim_wrapper = dict(paramwise_cfg=dict(offsets=offsets))
