# The comparison: the same detector on the frozen backbone, adapters off.
_base_ = "adatad_vit-tiny_actionformer_synthetic.py"
model = dict(backbone=dict(adapter=None))
