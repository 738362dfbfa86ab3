# EPIC-Kitchens-100 from raw video: 768 steps of 8 frames, at 15 fps (every 2nd of 30).
# epic-verb_768x8-160.py and epic-noun_768x8-160.py add annotations and pipelines. The class names
# are the labels of the annotation in the order of their official ids.
common = dict(
    type="TADDataset",
    data_root="data/epic_kitchens100",
    data_prefix=dict(video="videos"),
    window_size=6144,
    frame_stride=2,
    sample_fps=30,  # the videos' own rates are 50 and 59.94
    frames_per_step=8,
)

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(**common, subset="train", sampling="random", min_visible=0.3),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(**common, subset="val", sampling="sliding", window_overlap=0.5, test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.1, 0.2, 0.3, 0.4, 0.5],
    post_processor=dict(
        type="DetectionPostProcessor",
        pre_nms_topk=5000,
        nms=dict(type="soft_nms", sigma=0.4, min_score=0.001),
        max_per_video=2000,
        clamp_first=True,  # windows that slide, in OpenTAD
    ),
)
test_evaluator = val_evaluator
