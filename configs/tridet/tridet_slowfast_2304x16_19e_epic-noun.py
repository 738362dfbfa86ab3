# Published: 23.76 average mAP (tIoU 0.1:0.1:0.5).
# 300 outputs, 7 of which no video shows. 5 epochs of warm-up, then a cosine over 14.
_base_ = [
    "../_base_/models/tridet_feature_epic.py",
    "../_base_/datasets/epic-noun-300_slowfast.py",
    "../_base_/schedules/adamw_feature.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(window=1, k=4),
    head=dict(num_classes=300, empty_classes=_base_.absent_classes, label_smoothing=0.1),
)
train_cfg = dict(max_epochs=19, val_begin=12)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=19,
        T_max=14,
        convert_to_iter_based=True,
    ),
]
