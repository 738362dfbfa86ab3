# ActivityNet-1.3: 192 steps of 4 frames at 160 x 160, one class "action" in training.
_base_ = ["activitynet.py", "pipelines_160.py"]
train_pipeline = _base_.train_pipeline[:-1] + [dict(type="PackTADInputs", class_agnostic=True)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
