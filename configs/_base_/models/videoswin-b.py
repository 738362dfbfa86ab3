# VideoSwin-B; see videoswin-t.py.
_base_ = "videoswin-t.py"
encoder = dict(
    backbone=dict(arch="base"),
    pretrained="checkpoints/swin-base-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-182ec6cc.pth",
)
