# Published: no number.
# Self-DETR on the encoder and the windows of AdaTAD, four times as long as with SlowFast.
_base_ = [
    "../_base_/models/self-detr.py",
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
