# Features of whole videos; every length comes from the data set.
feature_pipeline = [
    dict(type="OpenFeatures"),
    dict(type="SampleFeatures"),
    dict(type="PackTADInputs"),
]
