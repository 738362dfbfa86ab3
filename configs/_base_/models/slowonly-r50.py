# SlowOnly-R50 on whole videos, frozen, with a TIA adapter after every block. 2048 channels.
encoder = dict(
    type="VideoEncoder",
    backbone=dict(
        type="mmaction.ResNet3dSlowOnly",
        depth=50,
        lateral=False,
        conv1_kernel=(1, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(0, 0, 1, 1),
        norm_eval=True,
    ),
    adapter=dict(type="TIA"),
    clip_frames=None,
    checkpointing=True,
    pretrained="checkpoints/slowonly_r50_4x16x1_256e_8xb16_kinetics400-rgb_20220901-f6a40d08.pth",
)
