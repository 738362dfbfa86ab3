# Published: 55.5 average mAP (tIoU 0.3:0.1:0.7); 50.8 on frozen features.
# The paper names neither the map nor the rates: actions of up to 64 steps as on I3D features, the
# rates as with ActionFormer.
_base_ = [
    "../_base_/models/gtad_thumos14.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/datasets/thumos14_untrimmednet.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=_base_.encoder,
    projection=dict(in_channels=1024),
    head=dict(num_steps=768),
)
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
