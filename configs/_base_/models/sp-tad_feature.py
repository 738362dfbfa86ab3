# SP-TAD on features extracted before: convolutions of stride 2 make the three stages.
_base_ = "sp-tad.py"
model = dict(
    data_preprocessor=dict(_delete_=True, type="TADDataPreprocessor", defer_normalization=True),
    backbone=None,
    projection=dict(type="FeatureStages", in_channels=2048, out_channels=512),
    head=dict(pyramid=dict(in_channels=[512] * 3)),
)
