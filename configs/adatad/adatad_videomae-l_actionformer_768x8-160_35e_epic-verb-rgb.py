# Published: 29.3 average mAP (tIoU 0.1:0.1:0.5), 29.69 in the released code; 48.5 GB per video.
# VideoMAE-L fine-tuned on EPIC-Kitchens-100 first.
_base_ = [
    "../_base_/models/actionformer_epic.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/epic-verb_768x8-160.py",
    "../_base_/schedules/adamw_epic_35e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(
        _base_.encoder,
        pretrained="checkpoints/vit-large-p16_videomae-epic_verb.pth",
    ),
    projection=dict(in_channels=1024),
)
