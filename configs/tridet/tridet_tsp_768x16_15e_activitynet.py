# Published: 36.77 average mAP (tIoU 0.5:0.05:0.95, CUHK scores).
# Videos at their own rate, padded. 10 epochs of warm-up, then a cosine over 5 with a floor.
_base_ = [
    "../_base_/models/tridet_feature_activitynet.py",
    "../_base_/datasets/activitynet_tsp_padded.py",
    "../_base_/schedules/adamw_feature.py",
    "../_base_/default_runtime.py",
]
train_cfg = dict(max_epochs=15, val_begin=8)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.04), clip_grad=dict(max_norm=0.4))
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=5e-5,
        begin=10,
        end=15,
        T_max=5,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
val_evaluator = dict(
    post_processor=dict(
        nms=dict(sigma=0.7),
        voting=dict(iou_threshold=0.95),
        max_per_video=200,
        video_scores=dict(method="sqrt"),
    )
)
test_evaluator = val_evaluator
