# Published: 68.44 average mAP (tIoU 0.3:0.1:0.7) in OpenTAD.
_base_ = "actionformer_i3d_2304x4_35e_thumos14.py"
model = dict(
    projection=dict(input_dropout=0.2, preset="opentad"),
    neck=dict(preset="opentad"),
    head=dict(preset="opentad"),
)
train_dataloader = dict(dataset=dict(truncation_margin=0))
val_dataloader = dict(dataset=dict(block_list="thumos14_211"))
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(pre_nms_topk=2000, max_per_video=2000))
test_evaluator = val_evaluator
