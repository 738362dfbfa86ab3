# Post-processing on THUMOS14 for detectors without classes, as OpenTAD has it: every window is
# suppressed and gets the two best classes of its video by UntrimmedNet (file uNet_test.npy), then
# all windows of a video are suppressed together.
post_processor = dict(
    type="DetectionPostProcessor",
    nms=dict(type="soft_nms", sigma=0.3, min_score=0.0001, class_agnostic=True),
    voting=dict(iou_threshold=0.95),
    max_per_video=200,
    per_window=True,
    video_scores=dict(
        file="data/thumos14/classifiers/uNet_test.npy",
        format="untrimmednet",
        topk=2,
        method="product",
    ),
)
