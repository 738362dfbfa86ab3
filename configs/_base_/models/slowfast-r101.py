# SlowFast with a slow pathway of 101 layers; see slowfast-r50.py.
_base_ = "slowfast-r50.py"
encoder = dict(
    backbone=dict(slow_pathway=dict(depth=101)),
    pretrained="checkpoints/slowfast_r101-r50_32xb8-4x16x1-256e_kinetics400-rgb_20220901-a77ac3ee.pth",
)
