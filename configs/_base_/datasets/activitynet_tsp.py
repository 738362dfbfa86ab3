# ActivityNet-1.3 on TSP features (R(2+1)D-34, one of 16 frames every 16 frames at 15 frames per
# second), every video squeezed into 192 steps. Videos whose features are not to be had: name them
# in `block_list`, or they count as empty.
_base_ = ["activitynet.py", "pipelines_features.py"]
feature_set = dict(
    type="FeatureDataset",
    ann_file="annotations/activitynet.json",
    data_root="data/activitynet",
    features=dict(path="features/tsp/v_{video_id}.npy", channels=512),
    feature_stride=16,
    clip_frames=16,
    feature_fps=15,
    sampling="resize",
    window_size=192,
    length_tolerance=0.4,  # some videos have lost frames, which public code does not mind
)
class_agnostic_pipeline = _base_.feature_pipeline[:-1] + [
    dict(type="PackTADInputs", class_agnostic=True)
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **feature_set,
        subset="training",
        min_coverage=0.01,  # OpenTAD does not train on shorter actions
        pipeline=class_agnostic_pipeline,
    )
)
val_dataloader = dict(
    batch_size=16,
    dataset=dict(
        _delete_=True,
        **feature_set,
        subset="validation",
        pipeline=_base_.feature_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
