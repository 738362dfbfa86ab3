# SlowFast-R50 on whole videos, frozen, with a TIA adapter after every block of the slow pathway.
encoder = dict(
    type="VideoEncoder",
    backbone=dict(
        type="mmaction.ResNet3dSlowFast",
        resample_rate=8,
        speed_ratio=8,
        channel_ratio=8,
        slow_pathway=dict(
            type="resnet3d",
            depth=50,
            lateral=True,
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(0, 0, 1, 1),
            norm_eval=True,
        ),
        fast_pathway=dict(
            type="resnet3d",
            depth=50,
            lateral=False,
            base_channels=8,
            conv1_kernel=(5, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            norm_eval=True,
        ),
    ),
    adapter=dict(type="TIA"),
    clip_frames=None,
    checkpointing=True,
    pretrained="checkpoints/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb_20220901-701b0f6f.pth",
)
