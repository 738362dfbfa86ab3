# ActivityNet-1.3 on TSP features at their own rate, padded to 768 steps instead of squeezed.
# Training cuts what is longer, testing takes every video whole.
_base_ = "activitynet_tsp.py"
train_dataloader = dict(
    dataset=dict(sampling="random", window_size=768, min_visible=0.5, min_coverage=0)
)
val_dataloader = dict(batch_size=1, dataset=dict(sampling="whole", window_size=768))
test_dataloader = val_dataloader
