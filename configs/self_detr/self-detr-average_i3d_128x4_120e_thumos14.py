# Published: at most the whole Self-DETR, numbers not at hand. The mean of the encoder's maps
# is guided instead of their product.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(feedback=dict(encoder_aggregation="average")))
