# Published: no number, only that it is worse than four. Six refinement stages.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
model = dict(head=dict(num_stages=6))
