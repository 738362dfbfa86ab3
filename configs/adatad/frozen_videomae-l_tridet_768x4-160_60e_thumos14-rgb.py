# Published: 68.8 average mAP (tIoU 0.3:0.1:0.7).
_base_ = "adatad_videomae-l_tridet_768x4-160_60e_thumos14-rgb.py"
model = dict(backbone=dict(adapter=None))
# Without augmentation, as the released code trains on a frozen backbone.
train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
