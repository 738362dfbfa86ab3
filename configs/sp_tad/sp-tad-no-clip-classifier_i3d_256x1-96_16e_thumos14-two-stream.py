# Published: 52.1 average mAP. Without the clip classifier.
_base_ = "sp-tad_i3d_256x1-96_16e_thumos14-two-stream.py"
model = dict(head=dict(clip_classifier=None))
