# Published: no number.
# Self-DETR on the encoder of AdaTAD.
_base_ = [
    "../_base_/models/self-detr_activitynet.py",
    "../_base_/models/videomae-s.py",
    "../_base_/datasets/activitynet_192x4-160_queries.py",
    "../_base_/schedules/adamw_query_adapters_activitynet.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(backbone=_base_.encoder, projection=dict(in_channels=384))
