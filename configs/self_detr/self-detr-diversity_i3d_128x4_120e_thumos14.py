# Published: no gain over DAB-DETR, numbers not at hand. Self-attention is to be diverse, in place
# of the guidance.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(head=dict(feedback=dict(_delete_=True, type="AttentionDiversityLoss")))
