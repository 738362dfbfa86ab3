# G-TAD on 100 steps of ActivityNet-1.3, as OpenTAD has it (`preset`). Leaves set the channels of
# their features and the size of the map.
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor", defer_normalization=True),
    projection=dict(type="ConvProjection", in_channels=400, num_convs=1),
    neck=dict(type="GCNeXtNeck", preset="opentad"),
    head=dict(
        type="BoundaryMapHead",
        num_steps=100,
        num_durations=100,
        boundary_block="gcnext",
        boundary_groups=32,
        extractor=dict(type="SubGraphAlignment", roi_size=32, context_size=4),
        extractor_channels=512,
        num_convs=3,
        kernel_size=1,
        preset="opentad",
    ),
)
