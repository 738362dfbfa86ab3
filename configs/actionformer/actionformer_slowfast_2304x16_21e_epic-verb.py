# Published: 23.51 average mAP (tIoU 0.1:0.1:0.5).
_base_ = [
    "../_base_/models/actionformer_feature_epic.py",
    "../_base_/datasets/epic-verb_slowfast.py",
    "../_base_/schedules/adamw_feature_21e.py",
    "../_base_/default_runtime.py",
]
