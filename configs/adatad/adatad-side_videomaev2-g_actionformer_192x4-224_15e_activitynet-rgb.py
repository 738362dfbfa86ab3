# Published: 40.00 average mAP (tIoU 0.5:0.05:0.95, CUHK scores).
# With InternVideo's scores of whole videos 41.93 (61.72/43.35/10.85 at tIoU .5/.75/.95): set
# video_scores.file and method="sqrt".
_base_ = [
    "../_base_/models/actionformer_activitynet.py",
    "../_base_/models/videomaev2-g.py",
    "../_base_/datasets/activitynet_192x4-224.py",
    "../_base_/schedules/adamw_activitynet_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(
        _base_.encoder,
        type="SideVideoEncoder",
        backbone=dict(_base_.encoder.backbone, drop_path_rate=0.0),
    ),
    projection=dict(in_channels=1408, input_dropout=0.1),
)
optim_wrapper = dict(dtype="bfloat16")
