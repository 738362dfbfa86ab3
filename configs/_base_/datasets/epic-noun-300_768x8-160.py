# EPIC-Kitchens-100 nouns with all 300 classes, ordered by their official ids: the 11 without a
# training instance are told to the head by number.
_base_ = ["epic-noun_768x8-160.py", "epic_nouns.py"]
train_dataloader = dict(dataset=dict(classes=_base_.classes))
val_dataloader = dict(dataset=dict(classes=_base_.classes))
test_dataloader = val_dataloader
