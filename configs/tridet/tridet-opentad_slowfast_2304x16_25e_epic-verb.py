# Published: 24.97 average mAP (tIoU 0.1:0.1:0.5) in OpenTAD.
# 25 epochs in all, and the rate falls to zero. OpenTAD's TriDet takes 2000 candidates to the
# suppression whatever its config says (5000).
_base_ = "tridet_slowfast_2304x16_27e_epic-verb.py"
model = dict(
    projection=dict(preset="opentad"),
    neck=dict(preset="opentad"),
    head=dict(pre_nms_topk=2000, preset="opentad"),
)
train_cfg = dict(max_epochs=25)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-8, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-8,
        begin=5,
        end=25,
        T_max=20,
        convert_to_iter_based=True,
    ),
]
train_dataloader = dict(dataset=dict(truncation_margin=0))
