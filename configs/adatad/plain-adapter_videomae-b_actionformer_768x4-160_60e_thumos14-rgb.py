# Published: 70.2 average mAP (tIoU 0.3:0.1:0.7).
_base_ = "adatad_videomae-b_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(backbone=dict(adapter=dict(_delete_=True, type="PlainAdapter")))
