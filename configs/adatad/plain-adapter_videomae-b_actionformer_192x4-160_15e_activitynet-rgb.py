# Published: 38.21 average mAP (tIoU 0.5:0.05:0.95, CUHK scores).
_base_ = "adatad_videomae-b_actionformer_192x4-160_15e_activitynet-rgb.py"
model = dict(backbone=dict(adapter=dict(_delete_=True, type="PlainAdapter")))
