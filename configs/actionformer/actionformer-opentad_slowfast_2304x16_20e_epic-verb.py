# Published: 24.93 average mAP (tIoU 0.1:0.1:0.5) in OpenTAD.
_base_ = [
    "../_base_/models/actionformer_feature_epic.py",
    "../_base_/datasets/epic-verb_slowfast.py",
    "../_base_/schedules/adamw_feature_epic_20e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(preset="opentad"),
    neck=dict(preset="opentad"),
    head=dict(preset="opentad"),
)
train_dataloader = dict(dataset=dict(truncation_margin=0))
