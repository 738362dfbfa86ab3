# SP-TAD on ActivityNet-1.3: 100 proposals, 200 classes. Every proposal keeps its score in every
# class, for the class of the whole video is known to the post-processing alone; 2 GB for the
# validation videos.
_base_ = "sp-tad.py"
model = dict(head=dict(num_classes=200, num_proposals=100, max_per_window=100 * 200))
