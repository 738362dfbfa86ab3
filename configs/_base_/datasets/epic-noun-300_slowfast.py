# EPIC-Kitchens-100 nouns on SlowFast features with all 300 classes, ordered by their official ids.
_base_ = ["epic-noun_slowfast.py", "epic_nouns.py"]
train_dataloader = dict(dataset=dict(classes=_base_.classes))
val_dataloader = dict(dataset=dict(classes=_base_.classes))
test_dataloader = val_dataloader
