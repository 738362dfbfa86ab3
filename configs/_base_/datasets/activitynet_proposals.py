# Post-processing of proposals on ActivityNet-1.3 as BMN measures their recall: a suppression that
# is gentle around long ones.
proposals = dict(
    type="DetectionPostProcessor",
    nms=dict(
        type="soft_nms",
        decay="improved_gaussian",
        sigma=0.4,
        iou_threshold=0.5,
        iou_slope=0.4,
        min_score=0.0,
        class_agnostic=True,
    ),
    max_per_video=100,
)
