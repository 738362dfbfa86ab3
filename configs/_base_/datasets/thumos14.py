# THUMOS14 from raw video: 768 frames, every 4th, each a step of the grid. The pipelines are added
# by thumos14_{frames}x{stride}-{size}.py. Annotations in the ActionFormer layout.
classes = [
    "BaseballPitch",
    "BasketballDunk",
    "Billiards",
    "CleanAndJerk",
    "CliffDiving",
    "CricketBowling",
    "CricketShot",
    "Diving",
    "FrisbeeCatch",
    "GolfSwing",
    "HammerThrow",
    "HighJump",
    "JavelinThrow",
    "LongJump",
    "PoleVault",
    "Shotput",
    "SoccerPenalty",
    "TennisSwing",
    "ThrowDiscus",
    "VolleyballSpiking",
]
common = dict(
    type="TADDataset",
    ann_file="annotations/thumos14.json",
    data_root="data/thumos14",
    data_prefix=dict(video="videos"),
    classes=classes,
    window_size=768,
    frame_stride=4,
)

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        **common,
        subset="Validation",
        sampling="random",
        min_visible=0.75,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        **common,
        subset="Test",
        sampling="sliding",
        window_overlap=0.5,
        block_list="thumos14_211",  # the videos of OpenTAD's annotation, also for AdaTAD
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.3, 0.4, 0.5, 0.6, 0.7],
    post_processor=dict(
        type="DetectionPostProcessor",
        nms=dict(type="soft_nms", sigma=0.7, min_score=0.001),
        max_per_video=2000,
        clamp_first=True,  # windows that slide, in OpenTAD
    ),
)
test_evaluator = val_evaluator
