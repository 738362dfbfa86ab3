# Published: 49.70 average mAP (tIoU 0.3:0.1:0.7) in the released code of OpenTAD.
_base_ = [
    "../_base_/models/gtad_thumos14.py",
    "../_base_/datasets/thumos14_i3d_sliding.py",
    "../_base_/datasets/thumos14_untrimmednet.py",
    "../_base_/schedules/adam_gtad_8e.py",
    "../_base_/runtime_without_ema.py",
]
train_dataloader = dict(
    batch_size=8, dataset=dict(window_size=256, window_overlap=0.5, min_visible=0.9)
)
val_dataloader = dict(batch_size=8, dataset=dict(window_size=256))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
