# Deformable-DETR on ActivityNet-1.3: 200 classes. Every query keeps its score in every class, for
# the class of the whole video is known to the post-processing alone.
_base_ = "deformable-detr.py"
model = dict(
    projection=dict(in_channels=512),
    head=dict(num_classes=200, max_per_window=40 * 200),
)
