# TadTR on ActivityNet-1.3: 10 queries, for most videos show one action or two, and 200 classes.
# Every query keeps its score in every class, for the class of the whole video is known to the
# post-processing alone.
_base_ = "tadtr.py"
model = dict(
    projection=dict(in_channels=512),
    head=dict(num_classes=200, decoder=dict(num_queries=10), max_per_window=10 * 200),
)
