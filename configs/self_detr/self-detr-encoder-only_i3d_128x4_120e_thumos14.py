# Published: below the whole Self-DETR, numbers not at hand. Only the encoder is guided.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(feedback=dict(weight_decoder=0)))
