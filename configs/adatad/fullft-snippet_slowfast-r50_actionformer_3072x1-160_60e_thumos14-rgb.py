# Published: 66.1 average mAP (tIoU 0.3:0.1:0.7); 36.9 GB per video.
_base_ = [
    "../_base_/models/actionformer.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/thumos14_3072x1-160.py",
    "../_base_/schedules/adamw_60e.py",
    "../_base_/default_runtime.py",
]
# A feature is one clip of 32 successive frames, the length it was trained on, every 4 frames.
model = dict(
    backbone=dict(
        _base_.encoder,
        frozen=False,
        adapter=None,
        representation="snippet",
        clip_frames=32,
        snippet_stride=4,
    ),
    projection=dict(in_channels=2304),
)
optim_wrapper = dict(
    paramwise_cfg=dict(backbone=dict(lr=1e-5, weight_decay=0.05, decay_all=True)),
)
