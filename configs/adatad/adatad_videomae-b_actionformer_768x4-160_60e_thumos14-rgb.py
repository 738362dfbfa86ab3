# Published: 71.5 average mAP (tIoU 0.3:0.1:0.7), 71.14 in the released code; 4.9 GB per video.
_base_ = "adatad_videomae-s_actionformer_768x4-160_60e_thumos14-rgb.py"
model = dict(
    backbone=dict(
        backbone=dict(embed_dims=768, num_heads=12),
        pretrained="checkpoints/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400_20221013-860a3cd3.pth",
    ),
    projection=dict(in_channels=768),
)
optim_wrapper = dict(paramwise_cfg=dict(adapter=dict(lr=1e-4)))
