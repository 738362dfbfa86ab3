default_scope = "mmtad"
custom_imports = dict(imports=["mmtad"], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
custom_hooks = [
    dict(type="SeedHook"),
    dict(type="LoadReportHook"),
    # EMA weights are used for evaluation and are what a checkpoint holds under `state_dict`. Only
    # what is trained is averaged.
    dict(type="TrainableEMAHook", ema_type="ExponentialMovingAverage", momentum=0.001),
    # A frozen backbone stays in its own file: loading a checkpoint needs `pretrained` as well.
    # tools/export_checkpoint.py writes the whole model.
    dict(type="SlimCheckpointHook"),
    # Several processes: gradients travel in half precision, as in the released AdaTAD code.
    dict(type="GradientCompressionHook", dtype="float16"),
]
# Used by several processes only. With gradient accumulation set static_graph=False.
model_wrapper_cfg = dict(
    type="MMDistributedDataParallel", broadcast_buffers=False, static_graph=True
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=1),
    dist_cfg=dict(backend="nccl"),
)
# Add dict(type="TensorboardVisBackend") or dict(type="WandbVisBackend") to record curves there.
visualizer = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])
log_processor = dict(by_epoch=True, window_size=20)
randomness = dict(seed=0)
log_level = "INFO"
load_from = None
resume = False
