# THUMOS14 on two-stream I3D features (ActionFormer's files): one of 16 frames every 4 frames.
# Training cuts windows of up to 2304 steps, testing takes every video whole.
_base_ = ["thumos14.py", "pipelines_features.py"]
feature_set = dict(
    type="FeatureDataset",
    ann_file="annotations/thumos14.json",
    data_root="data/thumos14",
    features=dict(path="features/i3d/{video_id}.npy", channels=2048),
    feature_stride=4,
    clip_frames=16,
    window_size=2304,
    classes=_base_.classes,
    pipeline=_base_.feature_pipeline,
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True, **feature_set, subset="Validation", sampling="random", min_visible=0.5
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **feature_set,
        subset="Test",
        sampling="whole",
        block_list="thumos14_212",  # the videos of ActionFormer's annotation, also for TriDet
        test_mode=True,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(clamp_first=False))
test_evaluator = val_evaluator
