# Published: 60.4 average mAP (tIoU 0.3:0.1:0.7); 16.4 GB per video.
_base_ = "adatad_videoswin-b_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(backbone=dict(frozen=False, adapter=None))
# The released code exists with 1e-4 and with 1e-3 for the detector.
optim_wrapper = dict(
    paramwise_cfg=dict(backbone=dict(lr=1e-5, weight_decay=0.05, decay_all=True)),
)
