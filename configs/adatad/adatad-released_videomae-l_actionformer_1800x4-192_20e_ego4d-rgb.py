# Published: 28.41 average mAP (tIoU 0.1:0.1:0.5) in the released code only.
# VideoMAE-L of InternVideo, fine-tuned on Moment Queries first. The preset to start from.
_base_ = [
    "../_base_/models/actionformer_ego4d.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/ego4d_1800x4-192.py",
    "../_base_/schedules/adamw_ego4d_20e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(
        _base_.encoder,
        adapter_indices=list(range(12, 24)),
        pretrained="checkpoints/vit-large-p16_videomae_k700_mq_ft_internvideo.pth",
    ),
    projection=dict(in_channels=1024, max_seq_len=2048),
)
