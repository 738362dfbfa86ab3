# Published: 68.8 average mAP (tIoU 0.3:0.1:0.7), 69.03 in the released code; 2.5 GB per video.
_base_ = [
    "../_base_/models/adatad_videomae-s_actionformer.py",
    "../_base_/datasets/thumos14_768x4-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(pretrained="checkpoints/vit-small-p16_videomae-k400-pre_16x4x1_kinetics-400.pth")
)
