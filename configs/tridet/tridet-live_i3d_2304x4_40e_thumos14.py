# Published: no number. SGP layers that learn, as the paper describes them, and no influence of
# padding. A user of the authors' code reports that a live init scores lower on THUMOS14.
_base_ = "tridet_i3d_2304x4_40e_thumos14.py"
model = dict(
    projection=dict(init="live", preset="padding_free"),
    neck=dict(preset="padding_free"),
    head=dict(preset="padding_free"),
)
