# EPIC-Kitchens-100 nouns: 768 steps of 8 frames at 160 x 160.
# An annotation of the training and validation videos names 293 of the 300 nouns; see
# epic-noun-300_768x8-160.py for all.
_base_ = ["epic.py", "pipelines_160.py"]
ann_file = "annotations/epic_noun.json"
train_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
