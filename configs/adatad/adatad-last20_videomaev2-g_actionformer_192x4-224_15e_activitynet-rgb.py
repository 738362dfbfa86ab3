# Published: 39.86 average mAP (tIoU 0.5:0.05:0.95, CUHK scores) in the released code only.
# With InternVideo's scores of whole videos 41.85: set video_scores.file and method="sqrt".
_base_ = [
    "../_base_/models/actionformer_activitynet.py",
    "../_base_/models/videomaev2-g.py",
    "../_base_/datasets/activitynet_192x4-224.py",
    "../_base_/schedules/adamw_activitynet_15e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    backbone=dict(_base_.encoder, adapter_indices=list(range(20, 40))),
    projection=dict(in_channels=1408),
)
optim_wrapper = dict(dtype="bfloat16")
