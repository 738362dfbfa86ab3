# SP-TAD on windows of THUMOS14, frames and optical flow: 50 proposals, 4 refinement stages, a
# pyramid of four levels over three stages of a two-stream I3D that is trained with the rest. Costs
# and losses are the default of the head. The clip classifier weighs the classes of a window.
model = dict(
    type="TADDetector",
    data_preprocessor=dict(
        type="TADDataPreprocessor", mean=[127.5] * 5, std=[127.5] * 5, defer_normalization=True
    ),
    backbone=dict(
        type="StageEncoder",
        backbone=dict(
            type="TwoStreamI3D",
            rgb=dict(pretrained="checkpoints/rgb_imagenet.pt"),
            flow=dict(pretrained="checkpoints/flow_imagenet.pt"),
        ),
    ),
    head=dict(
        type="SparseProposalHead",
        num_classes=20,
        num_proposals=50,
        num_stages=4,
        embed_dims=256,
        pyramid=dict(in_channels=[960, 1664, 2048]),
        clip_classifier=dict(),
    ),
)
