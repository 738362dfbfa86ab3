# Published: no number. The feedback on Deformable-DETR, for the self-attention of its queries. That
# of its encoder looks at a few places and cannot follow guidance elsewhere, so it gets none. TadTR
# is the same with the base tadtr.py.
_base_ = [
    "../_base_/models/deformable-detr.py",
    "../_base_/datasets/thumos14_i3d_windows.py",
    "../_base_/schedules/adamw_deformable_thumos14.py",
    "../_base_/runtime_without_ema.py",
]
model = dict(head=dict(feedback=dict(type="SelfFeedbackLoss", weight_encoder=0)))
optim_wrapper = dict(optimizer=dict(type="Adam"))
