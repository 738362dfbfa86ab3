# Pre-trains a tiny VideoMAE-shaped backbone on the trimmed clips of the synthetic benchmark with
# MMAction2's own recognizer: about a minute on two cores.
default_scope = "mmaction"
custom_imports = dict(imports=["mmtad"])  # mends what MMAction2 1.2.0 misses on this stack
data_root = "{{$MMTAD_SYNTHETIC:data/synthetic}}/clips/"
work_dir = "work_dirs/quickstart/pretrain"
num_classes = 6  # `--clip-classes` of tools/data/make_synthetic.py
epochs = 4

model = dict(
    type="Recognizer3D",
    backbone=dict(
        type="VisionTransformer",
        img_size=64,
        patch_size=16,
        embed_dims=96,
        depth=2,
        num_heads=3,
        num_frames=16,
        tubelet_size=2,
        # 0.02, the default, suits 768 channels; 96 channels learn nothing in a minute from it.
        init_cfg=[
            dict(type="TruncNormal", layer="Linear", std=0.08, bias=0.0),
            dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
        ],
    ),
    cls_head=dict(
        type="TimeSformerHead", num_classes=num_classes, in_channels=96, average_clips="prob"
    ),
    data_preprocessor=dict(
        type="ActionDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape="NCTHW",
    ),
)


train_pipeline = [
    dict(type="DecordInit"),
    dict(type="SampleFrames", clip_len=16, frame_interval=1, num_clips=1),
    dict(type="DecordDecode"),
    dict(type="Resize", scale=(64, 64), keep_ratio=False),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_pipeline = train_pipeline.copy()
val_pipeline[1] = dict(train_pipeline[1], test_mode=True)

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="VideoDataset",
        ann_file=data_root + "train.txt",
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="VideoDataset",
        ann_file=data_root + "val.txt",
        data_prefix=dict(video=data_root),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type="AccMetric", metric_options=dict(top_k_accuracy=dict(topk=(1,))))

train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs)
val_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type="AdamW", lr=2e-3, betas=(0.9, 0.98), weight_decay=0.05),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", T_max=epochs, eta_min=1e-6, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=10, ignore_last=False),
    checkpoint=dict(type="CheckpointHook", interval=epochs, save_optimizer=False),
)
env_cfg = dict(mp_cfg=dict(mp_start_method="fork", opencv_num_threads=1))
randomness = dict(seed=0)
