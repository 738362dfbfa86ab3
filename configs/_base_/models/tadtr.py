# TadTR in LTP's setting: Deformable-DETR whose scores are weighed by the actionness of segments.
_base_ = "deformable-detr.py"
model = dict(head=dict(actionness=dict(type="ActionnessRegressor", embed_dims=256)))
