# Published: below the whole Self-DETR, numbers not at hand. Only the last map of the decoder is
# guided.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(feedback=dict(decoder_aggregation="last")))
