# Published: 21.4 average mAP (tIoU 0.1:0.1:0.5).
# The published backbone's own training is not known here: these are the Kinetics-400 weights.
_base_ = [
    "../_base_/models/actionformer_epic.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/epic-noun_768x8-160.py",
    "../_base_/schedules/adamw_epic_35e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=_base_.encoder,
    projection=dict(in_channels=2304),
    head=dict(num_classes=293, label_smoothing=0.1),
)
