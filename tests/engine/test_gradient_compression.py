"""Two processes over gloo: a static graph, recomputed blocks, compressed gradients."""

import os
import runpy
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config

from mmtad.engine import GradientCompressionHook

HERE = Path(__file__)
DEFAULTS = HERE.parents[2] / "configs" / "_base_" / "default_runtime.py"


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _train(rank, folder, port, pretrained, results):
    """Train with the default runtime and variants of it, then what is refused."""
    import mmtad  # noqa: F401

    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2", RANK=str(rank),
        LOCAL_RANK=str(rank),
    )  # fmt: skip
    toy = runpy.run_path(str(HERE.with_name("conftest.py")))
    cfg = Config.fromfile(DEFAULTS)
    hooks = [
        dict(hook) for hook in cfg.custom_hooks if hook.type not in ("SeedHook", "LoadReportHook")
    ]

    def train(name, hooks, frozen=True, accumulate=1, **model_wrapper_cfg):
        torch.manual_seed(rank)
        model = toy["Detector"](pretrained=pretrained, adapter=frozen, frozen=frozen)
        wrapper = dict(cfg.model_wrapper_cfg, **model_wrapper_cfg)
        run = toy["make_runner"](
            folder / name, model, hooks, launcher="pytorch", cfg=dict(model_wrapper_cfg=wrapper),
            env_cfg=dict(dist_cfg=dict(backend="nccl")),
        )  # fmt: skip
        run.optim_wrapper["accumulative_counts"] = accumulate
        run.train()
        return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])

    def numbers(weights):
        return torch.stack([weights.double().sum(), weights.double().norm()])

    def refused(why, hooks, **kwargs):
        try:
            train("refused", hooks, **kwargs)
        except ValueError as error:
            return why in str(error)
        return False

    exact = train("exact", hooks[:1])
    runs = [exact, train("float16", hooks)]
    runs += [train("full", hooks, frozen=False)]
    runs += [train("accumulated", hooks, accumulate=2, static_graph=False)]
    for i, weights in enumerate(runs):
        results[rank, i] = numbers(weights)
    results[rank, 4, 0] = (runs[1] - exact).abs().max()
    results[rank, 4, 1] = refused("static graph", hooks, accumulate=2)
    bfloat16 = [*hooks[:-1], dict(hooks[-1], dtype="bfloat16")]
    results[rank, 5] = refused("gloo cannot average gradients in bfloat16", bfloat16)
    dist.barrier()
    os._exit(0)  # tearing gloo down under DDP can wait for ever for a peer that is gone


def test_two_processes_with_the_default_runtime(pretrained, tmp_path):
    results = torch.zeros(2, 6, 2, dtype=torch.double).share_memory_()
    mp.spawn(_train, (tmp_path, free_port(), str(pretrained), results), nprocs=2)
    assert results.isfinite().all()
    assert torch.equal(results[0], results[1])
    difference = float(results[0, 4, 0])
    assert 0 < difference < 0.1  # AdamW moves every weight by up to 0.4
    assert results[0, 4, 1] == 1 and (results[0, 5] == 1).all()
    assert (tmp_path / "float16" / "epoch_2.pth").exists()


def test_one_process_needs_none():
    runner = SimpleNamespace(model=torch.nn.Linear(1, 1), distributed=False)
    GradientCompressionHook().before_train(runner)


def test_unknown_dtype():
    with pytest.raises(ValueError, match="float16 or bfloat16, got 'float8'"):
        GradientCompressionHook(dtype="float8")


def test_backend_that_cannot(monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("Invalid scalar type")

    monkeypatch.setattr(dist, "all_reduce", refuse)
    monkeypatch.setattr(dist, "get_backend", lambda: "gloo")
    model = SimpleNamespace(parameters=torch.nn.Linear(1, 1).parameters, process_group=None)
    said = r"gloo cannot average gradients in bfloat16 \(Invalid scalar type\); use dtype='float16'"
    with pytest.raises(ValueError, match=said):
        GradientCompressionHook("bfloat16")._register(model)
