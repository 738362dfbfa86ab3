# Published: 68.4 average mAP (tIoU 0.3:0.1:0.7); 24.6 GB per video.
_base_ = "adatad_videomae-s_actionformer_3072x1-160_60e_thumos14-rgb.py"
# A feature is one clip of 16 successive frames, every 4 frames, as in feature-based detectors.
model = dict(
    backbone=dict(
        frozen=False,
        adapter=None,
        representation="snippet",
        clip_frames=16,
        snippet_stride=4,
    )
)
optim_wrapper = dict(
    paramwise_cfg=dict(backbone=dict(lr=1e-5, weight_decay=0.05, decay_all=True)),
)
