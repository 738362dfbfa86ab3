# THUMOS14: windows of 768 frames, every 4th (102.4 s), at 160 x 160, 2 for each of 384 steps, the
# resolution that VideoMAE itself has. A window of a training video holds up to 64 actions, so 40
# queries would be too few.
_base_ = "thumos14_768x4-160.py"
train_dataloader = dict(dataset=dict(frames_per_step=2))
val_dataloader = dict(dataset=dict(frames_per_step=2))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.4), max_per_video=200))
test_evaluator = val_evaluator
