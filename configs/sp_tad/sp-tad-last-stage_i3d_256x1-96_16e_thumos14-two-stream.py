# Published: 49.0 average mAP. A pyramid of the backbone's last stage and its poolings.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
model = dict(head=dict(pyramid=dict(sources="last")))
