# Published: no number for this variant. Centre and width are coded with 128 channels each, and
# both are compared with the 256 of the steps, as in QD-DETR.
_base_ = "dab-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(decoder=dict(qd_layout=True)))
