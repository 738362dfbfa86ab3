# Published: no number.
# Not published in this form: 300 outputs as in ActionFormer's code, 11 of them without a training
# instance. The released AdaTAD code has 293.
_base_ = [
    "../_base_/models/actionformer_epic.py",
    "../_base_/models/videomae-l.py",
    "../_base_/datasets/epic-noun-300_768x8-160.py",
    "../_base_/schedules/adamw_epic_35e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(
        _base_.encoder,
        pretrained="checkpoints/vit-large-p16_videomae-epic_noun.pth",
    ),
    projection=dict(in_channels=1024),
    head=dict(
        num_classes=300,
        empty_classes=_base_.empty_classes,
        label_smoothing=0.1,
    ),
)
