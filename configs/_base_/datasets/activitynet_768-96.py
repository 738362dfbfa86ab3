# ActivityNet-1.3 from raw video in the setting of SP-TAD: every video squeezed into 768 frames of
# 96 x 96, each a step of the grid; all 200 classes, and actions of any length.
_base_ = ["activitynet.py", "pipelines_96.py", "activitynet_sp-tad.py"]
frames = dict(window_size=768, frames_per_step=1)
train_dataloader = dict(dataset=dict(**frames, min_coverage=0, pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(**frames, pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
