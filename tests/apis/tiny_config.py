# A detector small enough for a test: overlapping windows of 32 frames, 32 x 32 pixels.
default_scope = "mmtad"
window = 32
classes = ["jump", "run", "turn"]

model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    backbone=dict(
        type="VideoEncoder",
        backbone=dict(
            type="mmaction.VisionTransformer",
            img_size=32,
            patch_size=16,
            embed_dims=16,
            depth=2,
            num_heads=2,
            num_frames=16,
            norm_cfg=dict(type="LN", eps=1e-6),
            return_feat_map=True,
        ),
        adapter=dict(type="TIA"),
    ),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=16,
        out_channels=16,
        arch=(1, 1, 1),
        num_heads=2,
        window=-1,
        max_seq_len=window,
    ),
    neck=dict(type="FPNIdentity", channels=16, num_levels=2),
    head=dict(
        type="ActionFormerHead",
        num_classes=len(classes),
        in_channels=16,
        feat_channels=16,
        point_generator=dict(
            type="PointGenerator", strides=(1, 2), regression_ranges=((0, 8), (8, 10000))
        ),
        prior_prob=0.3,
    ),
)
test_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="TADDataset",
        ann_file="annotations.json",
        data_prefix=dict(video="videos"),
        subset="test",
        classes=classes,
        sampling="sliding",
        window_size=window,
        frame_stride=1,
        test_mode=True,
        pipeline=[
            dict(type="OpenVideo", short_side=32),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            dict(type="CenterCrop", size=32),
            dict(type="PackTADInputs"),
        ],
    ),
)
test_evaluator = dict(
    type="DetectionMetric",
    post_processor=dict(
        type="DetectionPostProcessor",
        nms=dict(type="soft_nms", sigma=0.5, min_score=0.001),
        max_per_video=100,
    ),
)
test_cfg = dict(type="TestLoop")
custom_hooks = [
    dict(type="LoadReportHook"),
    dict(type="EMAHook", ema_type="ExponentialMovingAverage"),
]
