# EPIC-Kitchens-100 on SlowFast features: one of 32 frames every 16 frames at 30 frames per second.
# epic-verb_slowfast.py and epic-noun_slowfast.py add the annotations.
_base_ = ["epic.py", "pipelines_features.py"]
feature_set = dict(
    type="FeatureDataset",
    data_root="data/epic_kitchens100",
    features=dict(path="features/slowfast/{video_id}.npz", channels=2304),
    feature_stride=16,
    clip_frames=32,
    feature_fps=30,
    window_size=2304,
    pipeline=_base_.feature_pipeline,
)
train_dataloader = dict(
    dataset=dict(_delete_=True, **feature_set, subset="train", sampling="random", min_visible=0.3)
)
val_dataloader = dict(
    dataset=dict(_delete_=True, **feature_set, subset="val", sampling="whole", test_mode=True)
)
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(clamp_first=False))
test_evaluator = val_evaluator
