# Published: 53.3 average mAP (the values at each tIoU average to 52.3). Windows of 224 frames.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
train_dataloader = dict(dataset=dict(window_size=224, window_overlap=1 - 30 / 224))
val_dataloader = dict(dataset=dict(window_size=224, window_overlap=1 - 128 / 224))
test_dataloader = val_dataloader
