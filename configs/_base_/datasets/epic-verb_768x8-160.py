# EPIC-Kitchens-100 verbs: 768 steps of 8 frames at 160 x 160.
_base_ = ["epic.py", "pipelines_160.py"]
ann_file = "annotations/epic_verb.json"
train_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
