# The default without averaged weights: for detectors whose authors evaluate the weights themselves.
_base_ = "default_runtime.py"
custom_hooks = [hook for hook in _base_.custom_hooks if hook["type"] != "TrainableEMAHook"]
