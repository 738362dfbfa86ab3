# Published: 48.0 average mAP. The backbone stays as it was on Kinetics.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
model = dict(backbone=dict(frozen=True))
