# Published: 50.93 average mAP (tIoU 0.3:0.1:0.7; 64.47 / 59.49 / 53.11 / 44.08 / 33.50) in the
# released code of OpenTAD, which this is.
_base_ = [
    "../_base_/models/tadtr.py",
    "../_base_/models/slowfast-r50.py",
    "../_base_/datasets/thumos14_256x3-96_opentad.py",
    "../_base_/schedules/adamw_query_e2e-tad.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(
    backbone=dict(_base_.encoder, frozen=False, adapter=None),
    projection=dict(in_channels=2304, isolate_padding=False),
    head=dict(encoder=dict(num_layers=4), merge_labels=False, preset="opentad"),
)
train_cfg = dict(max_epochs=17)
# What decides where attention looks learns at a tenth of the rate.
offsets = dict(lr=1e-5, decay_all=True, match=["offset_proj", "reference_proj"])
optim_wrapper = dict(paramwise_cfg=dict(offsets=offsets))
