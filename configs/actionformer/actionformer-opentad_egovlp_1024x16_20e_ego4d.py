# Published: 22.13 average mAP (tIoU 0.1:0.1:0.5) in OpenTAD.
_base_ = "actionformer-opentad_slowfast_1024x16_20e_ego4d.py"
model = dict(
    projection=dict(in_channels=256, out_channels=384),
    neck=dict(channels=384),
    head=dict(in_channels=384, feat_channels=384),
)
egovlp = dict(
    features=dict(path="features/egovlp/{video_id}.npy", channels=256),
    clip_frames=16,
)
train_dataloader = dict(dataset=egovlp)
val_dataloader = dict(dataset=egovlp)
test_dataloader = val_dataloader
