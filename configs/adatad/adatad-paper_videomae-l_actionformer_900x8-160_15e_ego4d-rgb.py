# Published: 28.08 average mAP (tIoU 0.1:0.1:0.5); 60 GB per video.
# VideoMAE-L of InternVideo, fine-tuned on Moment Queries first.
_base_ = [
    "../_base_/models/actionformer_ego4d.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/ego4d_900x8-160.py",
    "../_base_/schedules/adamw_ego4d_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(
        _base_.encoder,
        pretrained="checkpoints/vit-large-p16_videomae_k700_mq_ft_internvideo.pth",
    ),
    projection=dict(in_channels=1024),
)
