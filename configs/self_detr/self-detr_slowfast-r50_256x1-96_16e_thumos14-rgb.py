# Published: no number.
# Self-DETR in the place of TadTR in the setting of E2E-TAD.
_base_ = [
    "../_base_/models/self-detr.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/thumos14_256x1-96_e2e-tad.py",
    "../_base_/schedules/adamw_query_e2e-tad.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    backbone=dict(_base_.encoder, frozen=False, adapter=None),
    projection=dict(in_channels=2304),
)
