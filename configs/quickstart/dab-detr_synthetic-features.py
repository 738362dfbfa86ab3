# DAB-DETR on generated features of up to 128 steps, in a minute or two on a CPU. The features are
# made by tools/data/make_synthetic_features.py.
_base_ = ["../_base_/runtime_without_ema.py", "../_base_/datasets/pipelines_features.py"]

common = dict(
    type="FeatureDataset",
    ann_file="annotations.json",
    data_root="{{$MMTAD_SYNTHETIC_FEATURES:data/synthetic-features}}",
    features="features/{video_id}.npy",
    feature_stride=4,
    clip_frames=4,
    window_size=128,
    sampling="sliding",  # a video is a window: its cues are never cut off
    pipeline=_base_.feature_pipeline,
)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(**common, subset="train"),
)
val_dataloader = dict(
    batch_size=25,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(**common, subset="test", test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.3, 0.4, 0.5, 0.6, 0.7],
    post_processor=dict(
        type="DetectionPostProcessor",
        nms=dict(type="soft_nms", sigma=0.4, min_score=0.001),
        max_per_video=200,
    ),
)
test_evaluator = val_evaluator

model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    projection=dict(
        type="ConvProjection",
        in_channels=32,
        out_channels=64,
        num_convs=1,
        kernel_size=1,
        groups=1,
        activation=False,
    ),
    head=dict(
        type="DETRHead",
        num_classes=5,
        encoder=dict(
            type="DABEncoder",
            embed_dims=64,
            num_layers=2,
            num_heads=4,
            feedforward_channels=256,
            dropout=0.0,  # on a CPU a third of the time, and no help in so few steps
        ),
        decoder=dict(
            type="DABDecoder",
            embed_dims=64,
            num_queries=20,
            num_layers=4,
            num_heads=4,
            feedforward_channels=256,
            dropout=0.0,
        ),
    ),
)

epochs = 30
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, begin=0, end=1, convert_to_iter_based=True),
    dict(type="MultiStepLR", milestones=[24], gamma=0.1, by_epoch=True),
]
default_hooks = dict(checkpoint=dict(interval=epochs, max_keep_ckpts=1))
custom_hooks = [*_base_.custom_hooks, dict(type="AttentionDiversityHook", draw=False)]
