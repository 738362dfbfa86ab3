# THUMOS14 on two-stream I3D features in short windows, as detectors with queries take it: 128
# steps, every 4th frame, each window sharing a quarter (32 steps) with the next. Training keeps
# an action if at least 75 % of it lie inside and drops windows without any. The overlap in
# training is told for TadTR alone (0.75, with 16 epochs); LTP and Self-DETR name that of testing.
_base_ = "thumos14_i3d_sliding.py"
windows = dict(window_size=128, window_overlap=0.25)
train_dataloader = dict(dataset=dict(**windows, min_visible=0.75))
val_dataloader = dict(dataset=windows)
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.4), max_per_video=200))
test_evaluator = val_evaluator
