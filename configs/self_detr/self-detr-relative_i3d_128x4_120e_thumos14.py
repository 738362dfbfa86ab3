# Published: no gain over DAB-DETR, numbers not at hand. Self-attention knows how far steps, or
# anchors, lie apart; nothing guides it.
_base_ = "self-detr_i3d_128x4_120e_thumos14.py"
model = dict(
    head=dict(
        encoder=dict(relative=dict(type="RelativeTimeBias")),
        decoder=dict(relative=dict(type="RelativeAnchorBias")),
        feedback=None,
    )
)
