# Detectors with queries on THUMOS14 as Self-DETR trains them: with Adam, otherwise as LTP does. The
# paper names no weight decay; this one is part of the gradient, as Adam has it.
_base_ = "adamw_query_thumos14.py"
optim_wrapper = dict(optimizer=dict(type="Adam"))
