# Published: 66.5 average mAP (tIoU 0.3:0.1:0.7).
_base_ = "adatad_videomae-l_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(backbone=dict(adapter=None), projection=dict(input_dropout=0.2))
# Without augmentation, and with a narrower suppression, as in the released code.
train_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.5)))
test_evaluator = val_evaluator
