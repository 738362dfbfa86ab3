# AdaTAD + ActionFormer, end to end, in minutes on a CPU: 128 frames (26 s at 5 fps) of 64 x 64.
_base_ = "../_base_/default_runtime.py"

data_root = "{{$MMTAD_SYNTHETIC:data/synthetic}}"
common = dict(
    type="TADDataset",
    ann_file="annotations.json",
    data_root=data_root,
    window_size=128,
)
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        **common,
        subset="train",
        sampling="random",
        pipeline=[
            dict(type="OpenVideo", short_side=64),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            # No flip: it would turn one class into another.
            dict(type="RandomResizedCrop", size=64, area_range=(0.7, 1.0)),
            dict(type="ColorJitter"),
            dict(type="PackTADInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        **common,
        subset="test",
        sampling="sliding",
        pipeline=[
            dict(type="OpenVideo", short_side=64),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            dict(type="CenterCrop", size=64),
            dict(type="PackTADInputs"),
        ],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.3, 0.4, 0.5, 0.6, 0.7],
    post_processor=dict(
        type="DetectionPostProcessor",
        nms=dict(type="soft_nms", sigma=0.5, min_score=0.001),
        max_per_video=200,
    ),
)
test_evaluator = val_evaluator

model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    backbone=dict(
        type="VideoEncoder",
        # The shape that pretrain_vit-tiny_synthetic.py trains.
        backbone=dict(
            type="mmaction.VisionTransformer",
            img_size=64,
            patch_size=16,
            embed_dims=96,
            depth=2,
            num_heads=3,
            num_frames=16,
            return_feat_map=True,
        ),
        adapter=dict(type="TIA"),
    ),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=96,
        out_channels=96,
        arch=(2, 1, 4),
        window=9,
        max_seq_len=128,
        drop_path=0.0,  # too few iterations to need it
    ),
    neck=dict(type="FPNIdentity", channels=96, num_levels=5),
    head=dict(
        type="ActionFormerHead",
        num_classes=5,
        in_channels=96,
        feat_channels=96,
        offset_bias=1.0,
        point_generator=dict(
            type="PointGenerator",
            strides=(1, 2, 4, 8, 16),
            regression_ranges=((0, 4), (4, 8), (8, 16), (16, 32), (32, 10000)),
        ),
    ),
)

train_cfg = dict(by_epoch=True, max_epochs=14, val_interval=100)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="RoleOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=2e-3, betas=(0.9, 0.98), weight_decay=0.05),
    paramwise_cfg=dict(adapter=dict(lr=8e-3)),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=1, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", eta_min=1e-5, begin=1, end=14, convert_to_iter_based=True),
]
# Few iterations: a shorter memory than the default's. A tiny backbone: checkpoints hold it.
custom_hooks = [
    dict(type="SeedHook"),
    dict(type="LoadReportHook"),
    dict(type="TrainableEMAHook", ema_type="ExponentialMovingAverage", momentum=0.01),
]
default_hooks = dict(checkpoint=dict(interval=7, max_keep_ckpts=1))
