# Published: 73.5 average mAP (tIoU 0.3:0.1:0.7), 73.51 in the released code; 11.0 GB per video.
_base_ = "adatad_videomae-b_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(
    backbone=dict(
        backbone=dict(embed_dims=1024, depth=24, num_heads=16),
        pretrained="checkpoints/vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400_20221013-229dbb03.pth",
    ),
    projection=dict(in_channels=1024),
)
