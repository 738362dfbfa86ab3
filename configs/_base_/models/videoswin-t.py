# VideoSwin-T on whole videos, frozen, with a TIA adapter after every block.
encoder = dict(
    type="VideoEncoder",
    backbone=dict(
        type="mmaction.SwinTransformer3D",
        arch="tiny",
        pretrained=None,
        pretrained2d=False,
        patch_size=(2, 4, 4),
        window_size=(8, 7, 7),
        mlp_ratio=4.0,
        qkv_bias=True,
        drop_path_rate=0.1,
        patch_norm=True,
    ),
    adapter=dict(type="TIA"),
    clip_frames=None,
    checkpointing=True,
    pretrained="checkpoints/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-241016b2.pth",
)
