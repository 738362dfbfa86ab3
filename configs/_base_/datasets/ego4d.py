# Ego4D Moment Queries (v2) from raw video, every 2nd frame of clips of up to 8 minutes. The lengths
# and pipelines are added by ego4d_900x8-160.py (paper) and ego4d_1800x4-192.py (released code). The
# 110 class names are the sorted labels of the annotation.
common = dict(
    type="TADDataset",
    ann_file="annotations/ego4d_mq.json",
    data_root="data/ego4d",
    data_prefix=dict(video="videos"),
    window_size=7200,
    frame_stride=2,
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
    dataset=dict(**common, subset="val", sampling="sliding", window_overlap=0, test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.1, 0.2, 0.3, 0.4, 0.5],
    measures=["mAP", "recall@kx"],
    post_processor=dict(
        type="DetectionPostProcessor",
        pre_nms_topk=5000,
        nms=dict(type="soft_nms", sigma=2.0, min_score=0.001),
        max_per_video=2000,
        clamp_first=True,  # windows that slide, in OpenTAD
    ),
)
test_evaluator = val_evaluator
