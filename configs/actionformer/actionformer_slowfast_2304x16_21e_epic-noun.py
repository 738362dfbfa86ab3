# Published: 21.88 average mAP (tIoU 0.1:0.1:0.5).
# 300 outputs, 7 of which no video shows.
_base_ = [
    "../_base_/models/actionformer_feature_epic.py",
    "../_base_/datasets/epic-noun-300_slowfast.py",
    "../_base_/schedules/adamw_feature_21e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    head=dict(num_classes=300, empty_classes=_base_.absent_classes, label_smoothing=0.1),
)
