# R(2+1)D-34 on whole videos, frozen, with a TIA adapter after every block. 512 channels.
encoder = dict(
    type="VideoEncoder",
    backbone=dict(
        type="mmaction.ResNet2Plus1d",
        depth=34,
        pretrained2d=False,
        conv_cfg=dict(type="Conv2plus1d"),
        # MMAction2 trained with SyncBN; a frozen norm is the same in one process.
        norm_cfg=dict(type="BN3d", requires_grad=True, eps=1e-3),
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(1, 1, 1, 1),
        spatial_strides=(1, 2, 2, 2),
        temporal_strides=(1, 2, 2, 2),
        zero_init_residual=False,
        norm_eval=True,
    ),
    adapter=dict(type="TIA"),
    clip_frames=None,
    checkpointing=True,
    pretrained="checkpoints/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb_20220812-47cfe041.pth",
)
