# Published: 39.18 average mAP (tIoU 0.1:0.1:0.9) in OpenTAD; 60.16, 44.99, 24.55 at 0.2, 0.5, 0.7.
_base_ = [
    "../_base_/models/actionformer_feature.py",
    "../_base_/datasets/multithumos_i3d.py",
    "../_base_/schedules/adamw_feature.py",
    "../_base_/default_runtime.py",
]
model = dict(
    projection=dict(arch=(3, 0, 5), preset="opentad"),
    neck=dict(preset="opentad"),
    head=dict(num_classes=65, pre_nms_topk=8000, preset="opentad"),
)
train_cfg = dict(max_epochs=45, val_begin=35)
# The horizon of the cosine, 65 epochs, lies beyond the last one.
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=45,
        T_max=60,
        convert_to_iter_based=True,
    ),
]
train_dataloader = dict(dataset=dict(truncation_margin=0))
val_evaluator = dict(
    post_processor=dict(nms=dict(sigma=0.5), pre_nms_topk=8000, max_per_video=8000)
)
test_evaluator = val_evaluator
