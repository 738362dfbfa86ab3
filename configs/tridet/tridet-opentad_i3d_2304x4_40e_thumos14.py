# Published: 69.60 average mAP (tIoU 0.3:0.1:0.7) in OpenTAD.
_base_ = "tridet_i3d_2304x4_40e_thumos14.py"
model = dict(
    projection=dict(preset="opentad"),
    neck=dict(preset="opentad"),
    head=dict(preset="opentad"),
)
train_dataloader = dict(dataset=dict(truncation_margin=0))
val_dataloader = dict(dataset=dict(block_list="thumos14_211"))
test_dataloader = val_dataloader
