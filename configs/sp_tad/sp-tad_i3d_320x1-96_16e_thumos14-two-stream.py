# Published: 49.9 average mAP (the values at each tIoU average to 51.3). Windows of 320 frames.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
train_dataloader = dict(dataset=dict(window_size=320, window_overlap=1 - 30 / 320))
val_dataloader = dict(dataset=dict(window_size=320, window_overlap=1 - 128 / 320))
test_dataloader = val_dataloader
