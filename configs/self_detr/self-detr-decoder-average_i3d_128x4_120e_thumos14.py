# Published: below the whole Self-DETR, numbers not at hand. The mean of the maps of the decoder is
# guided instead of every map.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(feedback=dict(decoder_aggregation="average")))
