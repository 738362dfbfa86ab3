# ActivityNet-1.3 from raw video: every video squeezed into 768 frames, 4 for each of 192 steps. The
# pipelines are added by activitynet_192x4-{size}.py.
#
# The detector has one class, "action" (`class_agnostic` in the training pipeline); the CUHK scores
# of whole videos (cuhk_val_simp_7.json) give its detections their classes, as in every published
# result. The 200 class names are the sorted labels of the annotation. Videos are found as
# videos/{id in the annotation}.mp4 or by the annotation's own `video_path`. Some videos are no
# longer to be had: name them in `block_list`, or they count as empty.
common = dict(
    type="TADDataset",
    ann_file="annotations/activitynet.json",
    data_root="data/activitynet",
    data_prefix=dict(video="videos"),
    sampling="resize",
    window_size=768,
    frames_per_step=4,
)

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    # OpenTAD does not train on actions below 1 % of their video.
    dataset=dict(**common, subset="training", min_coverage=0.01),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(**common, subset="validation", test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    post_processor=dict(
        type="DetectionPostProcessor",
        nms=dict(type="soft_nms", sigma=0.7, min_score=0.001, class_agnostic=True),
        voting=dict(iou_threshold=0.9),
        max_per_video=100,
        # InternVideo's scores have the same layout; published with method="sqrt".
        video_scores=dict(
            file="data/activitynet/classifiers/cuhk_val_simp_7.json",
            format="cuhk",
            topk=2,
            method="product",
        ),
    ),
)
test_evaluator = val_evaluator
