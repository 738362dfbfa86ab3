# SP-TAD on features of ActivityNet-1.3, see sp-tad_activitynet.py.
_base_ = "sp-tad_feature.py"
model = dict(
    projection=dict(in_channels=512),
    head=dict(num_classes=200, num_proposals=100, max_per_window=100 * 200),
)
