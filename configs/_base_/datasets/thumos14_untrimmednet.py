# Post-processing on THUMOS14 for detectors without classes: one suppression for all, then the two
# best classes of each video by UntrimmedNet (G-TAD's file uNet_test.npy).
post_processor = dict(
    type="DetectionPostProcessor",
    nms=dict(type="soft_nms", sigma=0.3, min_score=0.0001, class_agnostic=True),
    voting=dict(iou_threshold=0.95),
    max_per_video=200,
    clamp_first=True,
    video_scores=dict(
        file="data/thumos14/classifiers/uNet_test.npy",
        format="untrimmednet",
        topk=2,
        method="product",
    ),
)
