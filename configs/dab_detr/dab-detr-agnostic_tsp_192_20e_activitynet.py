# Published: no number for this variant. The other reading of how LTP fuses scores: the detector
# knows the class "action" alone, and its detections get CUHK's first class of the video.
_base_ = "dab-detr_tsp_192_20e_activitynet.py"
model = dict(head=dict(num_classes=1, max_per_window=100))
train_dataloader = dict(dataset=dict(pipeline=_base_.class_agnostic_pipeline))
val_evaluator = dict(post_processor=dict(video_scores=dict(relabel=True)))
test_evaluator = val_evaluator
