# Published: 38.5 average mAP (tIoU 0.3:0.1:0.7) in the paper, 46.19 in the released code of
# OpenTAD, which this is.
_base_ = [
    "../_base_/models/bmn.py",
    "../_base_/datasets/thumos14_tsn_sliding.py",
    "../_base_/datasets/thumos14_untrimmednet.py",
    "../_base_/schedules/adam_bmn_8e.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    projection=dict(in_channels=2048),
    head=dict(num_steps=128, num_durations=64),
)
train_dataloader = dict(dataset=dict(window_size=128, window_overlap=0.5, min_visible=0.9))
val_dataloader = dict(dataset=dict(window_size=128))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(_delete_=True, **_base_.post_processor))
test_evaluator = val_evaluator
