# BMN on 100 steps of ActivityNet-1.3, as OpenTAD has it (`preset`): two boundary towers, regression
# weight 5, score cls * reg. Leaves set the channels of their features and the size of the map, or
# preset="padding_free", the paper's choice of all three. All convolutions start from Xavier's.
xavier = dict(type="Xavier", layer=["Conv1d", "Conv2d"], distribution="uniform")
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor", defer_normalization=True),
    projection=dict(type="ConvProjection", in_channels=400, num_convs=2, init_cfg=xavier),
    head=dict(
        type="BoundaryMapHead",
        num_steps=100,
        num_durations=100,
        boundary_block="conv",
        boundary_groups=4,
        extractor=dict(type="BoundaryMatchingExtractor"),
        extractor_channels=128,
        num_convs=2,
        kernel_size=3,
        preset="opentad",
        init_cfg=xavier,
    ),
)
