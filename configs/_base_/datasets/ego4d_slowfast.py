# Ego4D Moment Queries (v2) on SlowFast features: one of 32 frames every 16 frames at 30 frames per
# second. Training cuts windows of up to 1024 steps, enough for a clip of 8 minutes.
_base_ = ["ego4d.py", "pipelines_features.py"]
feature_set = dict(
    type="FeatureDataset",
    ann_file="annotations/ego4d_mq.json",
    data_root="data/ego4d",
    features=dict(path="features/slowfast/{video_id}.npy", channels=2304),
    feature_stride=16,
    clip_frames=32,
    feature_fps=30,
    window_size=1024,
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
