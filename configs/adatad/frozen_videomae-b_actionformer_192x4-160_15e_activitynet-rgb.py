# Published: 36.64 average mAP (tIoU 0.5:0.05:0.95, CUHK scores).
_base_ = "adatad_videomae-b_actionformer_192x4-160_15e_activitynet-rgb.py"
model = dict(backbone=dict(adapter=None), projection=dict(input_dropout=0.2))
# Without augmentation, as in the released code.
pack = dict(type="PackTADInputs", class_agnostic=True)
train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline[:-1] + [pack]))
