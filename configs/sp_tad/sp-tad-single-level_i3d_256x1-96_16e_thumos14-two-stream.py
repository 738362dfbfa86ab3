# Published: 50.2 average mAP (the values at each tIoU average to 50.5). The finest level alone;
# which one the paper keeps, it does not say.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
model = dict(head=dict(pyramid=dict(levels=[0])))
