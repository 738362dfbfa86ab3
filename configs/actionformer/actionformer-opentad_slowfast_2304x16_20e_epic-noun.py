# Published: 22.33 average mAP (tIoU 0.1:0.1:0.5) in OpenTAD.
# 293 outputs: the nouns of the training and validation videos.
_base_ = [
    "../_base_/models/actionformer_feature_epic.py",
    "../_base_/datasets/epic-noun_slowfast.py",
    "../_base_/schedules/adamw_feature_epic_20e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(preset="opentad"),
    neck=dict(preset="opentad"),
    head=dict(num_classes=293, label_smoothing=0.1, preset="opentad"),
)
train_dataloader = dict(dataset=dict(truncation_margin=0))
