# EPIC-Kitchens-100 verbs on SlowFast features.
_base_ = "epic_slowfast.py"
ann_file = "annotations/epic_verb.json"
train_dataloader = dict(dataset=dict(ann_file=ann_file))
val_dataloader = dict(dataset=dict(ann_file=ann_file))
test_dataloader = val_dataloader
