# Published: no number for this variant. Generalised IoU in matching and loss, whose gradient
# reaches segments that lie apart, and anchors that start evenly over the window.
_base_ = "dab-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(decoder=dict(anchor_init="uniform"), criterion=dict(iou_type="giou")))
