# MultiTHUMOS on the I3D features of THUMOS14. The 65 class names are the sorted labels of the
# annotation. One test video, which THUMOS14 marks Ambiguous all over, has no features.
_base_ = "thumos14_i3d.py"
ann = dict(ann_file="annotations/multithumos.json", data_root="data/multithumos", classes=None)
train_dataloader = dict(dataset=dict(**ann, subset="training"))
val_dataloader = dict(dataset=dict(**ann, subset="testing", block_list="thumos14_212"))
test_dataloader = val_dataloader

val_evaluator = dict(tiou_thresholds=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
test_evaluator = val_evaluator
