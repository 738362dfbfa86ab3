# Published: no number.
# The map of BMN on I3D features over the window of AdaTAD; rates as with ActionFormer.
_base_ = [
    "../_base_/models/bmn.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/datasets/thumos14_untrimmednet.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=_base_.encoder,
    projection=dict(in_channels=1024),
    head=dict(num_steps=768, num_durations=64),
)
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
