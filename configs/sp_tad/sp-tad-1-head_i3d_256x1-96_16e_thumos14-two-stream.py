# Published: 43.6 average mAP. One refinement stage.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
model = dict(head=dict(num_stages=1))
