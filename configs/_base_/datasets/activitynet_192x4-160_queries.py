# ActivityNet-1.3: 192 steps of 4 frames at 160 x 160, for detectors whose queries know all classes.
_base_ = ["activitynet.py", "pipelines_160.py", "activitynet_queries.py"]
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
