# Published: 51.3 average mAP (the values at each tIoU average to 52.1). Windows of 288 frames.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
train_dataloader = dict(dataset=dict(window_size=288, window_overlap=1 - 30 / 288))
val_dataloader = dict(dataset=dict(window_size=288, window_overlap=1 - 128 / 288))
test_dataloader = val_dataloader
