# Detectors with queries on ActivityNet-1.3 as Self-DETR trains them: with Adam, otherwise in LTP's
# setting. The paper names no weight decay; this one is part of the gradient, as Adam has it.
_base_ = "adamw_query_activitynet.py"
optim_wrapper = dict(optimizer=dict(type="Adam"))
