"""Half the traffic between the processes of a distributed training."""

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel

from mmtad.registry import HOOKS

COMPRESSIONS = {
    "float16": default_hooks.fp16_compress_hook,
    "bfloat16": default_hooks.bf16_compress_hook,
}


@HOOKS.register_module()
class GradientCompressionHook(Hook):
    """Averages gradients over the processes in half precision, as the released AdaTAD code does.

    The gradients themselves and the optimiser stay in single precision. Acts on DDP only; on one
    process it does nothing. With a static graph it also refuses gradient accumulation, which
    PyTorch would end with an internal assertion.

    Args:
        dtype: ``"float16"`` or ``"bfloat16"``. bfloat16 has fewer digits but cannot overflow, which
            matters where gradients are neither scaled nor small; PyTorch has it on NCCL alone.

    Raises:
        ValueError: If the dtype is another one, or this backend cannot sum it.
    """

    def __init__(self, dtype: str = "float16") -> None:
        if dtype not in COMPRESSIONS:
            raise ValueError(f"dtype is {' or '.join(COMPRESSIONS)}, got {dtype!r}")
        self.dtype = dtype

    def before_train(self, runner) -> None:
        """Once the model is wrapped and before its first step."""
        model = runner.model
        if not isinstance(model, DistributedDataParallel) or not hasattr(model, "reducer"):
            if runner.distributed:
                print_log(
                    f"Gradients are not compressed: {type(model).__name__} is not "
                    "DistributedDataParallel",
                    "current",
                )
            return
        steps = getattr(runner.optim_wrapper, "_accumulative_counts", 1)
        if getattr(model, "static_graph", False) and steps > 1:
            raise ValueError(
                f"accumulative_counts={steps} does not go with a static graph; set "
                "model_wrapper_cfg.static_graph=False"
            )
        self._register(model)
        print_log(f"Gradients are averaged over the processes in {self.dtype}", "current")

    def _register(self, model: DistributedDataParallel) -> None:
        """Sum one number first, so that a backend without the type fails here and in a sentence."""
        parameter = next(p for p in model.parameters() if p.requires_grad)
        number = torch.zeros(1, dtype=getattr(torch, self.dtype), device=parameter.device)
        try:
            dist.all_reduce(number, group=model.process_group)
            model.register_comm_hook(None, COMPRESSIONS[self.dtype])
        except (RuntimeError, TypeError, ValueError) as error:
            other = next(name for name in COMPRESSIONS if name != self.dtype)
            raise ValueError(
                f"the backend {dist.get_backend()} cannot average gradients in {self.dtype} "
                f"({str(error).splitlines()[0]}); use dtype='{other}' or leave the "
                "GradientCompressionHook out"
            ) from error
