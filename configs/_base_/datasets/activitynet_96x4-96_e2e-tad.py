# ActivityNet-1.3 in the setting of E2E-TAD: every video squeezed into 384 frames of 96 x 96, 4 for
# each of 96 steps, for detectors whose queries know all classes.
_base_ = ["activitynet.py", "pipelines_96_e2e-tad.py", "activitynet_queries.py"]
train_dataloader = dict(dataset=dict(window_size=384, pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(window_size=384, pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
