# Published: 74.65 average mAP (tIoU 0.3:0.1:0.7) in the released code only.
# Expect 74.7 +- 0.5. The preset to start from.
_base_ = "adatad-side-paper_videomaev2-g_actionformer_1536x2-224_60e_thumos14-rgb.py"
model = dict(backbone=dict(adapter=dict(reduction=8)))
train_cfg = dict(max_epochs=50, val_begin=37)
