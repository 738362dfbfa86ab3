# Post-processing on ActivityNet-1.3 for detectors whose queries know the 200 classes: only the
# class that CUHK's classifier of whole videos puts first remains, and its score weighs the
# detector's own. A detector with the single class "action" sets video_scores=dict(relabel=True).
post_processor = dict(
    type="DetectionPostProcessor",
    nms=dict(type="soft_nms", sigma=0.4, min_score=0.001),
    max_per_video=100,
    video_scores=dict(
        file="data/activitynet/classifiers/cuhk_val_simp_7.json",
        format="cuhk",
        topk=1,
        method="product",
        relabel=False,
    ),
)
