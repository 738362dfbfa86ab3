# Published: below self-detr-average, numbers not at hand. Only the last map of the encoder is
# guided.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(feedback=dict(encoder_aggregation="last")))
