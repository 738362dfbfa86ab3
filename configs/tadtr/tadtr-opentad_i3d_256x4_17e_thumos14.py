# Published: 56.23 average mAP (tIoU 0.3:0.1:0.7; 71.90 / 67.29 / 59.00 / 48.34 / 34.61) in the
# released code of OpenTAD, which this is.
_base_ = [
    "../_base_/models/tadtr.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adamw_tadtr_17e.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    projection=dict(isolate_padding=False),
    head=dict(encoder=dict(num_layers=4), merge_labels=False, preset="opentad"),
)
train_dataloader = dict(batch_size=8, dataset=dict(window_size=256))
val_dataloader = dict(batch_size=8, dataset=dict(window_size=256, window_overlap=0.75))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(max_per_video=2000))
test_evaluator = val_evaluator
