# Published: 27.07 average mAP (tIoU 0.1:0.1:0.5).
_base_ = "adatad-paper_videomae-l_actionformer_900x8-160_15e_ego4d-rgb.py"
model = dict(backbone=dict(adapter=None))
# Without augmentation, as in the released code on the other data sets.
train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
