"""One training of ``miniature.py``: its config, its place in the work dir, its result."""

import gc
import hashlib
import json
import os
import resource
import time
import traceback
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from types import ModuleType

import torch
from miniature_groups import GROUPS
from mmengine.config import Config
from mmengine.runner import Runner

from mmtad.datasets import synthetic, synthetic_features
from mmtad.datasets.synthetic_features import SyntheticFeatureSpec
from mmtad.datasets.synthetic_plan import SyntheticSpec

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PRETRAIN = "pretrain"
# Parts of a config that decide about no result.
REPORTING = ("default_hooks", "env_cfg", "log_level", "log_processor", "visualizer", "work_dir")
QUICK_DATA = {
    SyntheticSpec: dict(train_videos=6, test_videos=3, train_clips=32, val_clips=8),
    SyntheticFeatureSpec: dict(train_videos=8, test_videos=4),
}
GENERATORS = {SyntheticSpec: synthetic, SyntheticFeatureSpec: synthetic_features}


@dataclass(frozen=True)
class Job:
    """One training: a variant, or ``PRETRAIN``, of a group for a seed."""

    group: str
    variant: str
    seed: int
    quick: bool
    work_dir: str
    threads: int

    @property
    def spec(self) -> SyntheticSpec | SyntheticFeatureSpec:
        """The videos."""
        group = GROUPS[self.group]
        data = {**group.data, **(QUICK_DATA[group.spec] if self.quick else {})}
        return group.spec(seed=self.seed, **data)

    @property
    def generator(self) -> ModuleType:
        """What makes the videos."""
        return GENERATORS[type(self.spec)]

    @property
    def data_dir(self) -> Path:
        """Folder of the videos; other settings or another generator, another folder."""
        key = digest([asdict(self.spec), self.generator.GENERATOR_VERSION])
        return Path(self.work_dir) / "data" / f"seed{self.seed}-{key}"

    @property
    def pretraining(self) -> "Job | None":
        """The job that makes the backbone."""
        if self.variant == PRETRAIN or GROUPS[self.group].pretrain is None:
            return None
        return Job(self.group, PRETRAIN, self.seed, self.quick, self.work_dir, self.threads)

    @cached_property
    def key(self) -> str:
        """Hash of all that decides about the result but the code."""
        before = self.pretraining and self.pretraining.key
        config = self.config(import_modules=False).to_dict()
        for name in REPORTING:
            config.pop(name, None)
        return digest([config, self.data_dir.name, before])

    @cached_property
    def folder(self) -> Path:
        """Config, log and result of the run."""
        kind = PRETRAIN if self.variant == PRETRAIN else f"{self.group}/{self.variant}"
        return Path(self.work_dir) / kind / f"seed{self.seed}-{self.key}"

    @property
    def result(self) -> dict | None:
        """What the run gave, if it is finished."""
        file = self.folder / "result.json"
        return json.loads(file.read_text()) if file.exists() else None

    def config(self, import_modules: bool = True) -> Config:
        """The config without paths."""
        group = GROUPS[self.group]
        name, overrides = group.pretrain, group.pretrain_overrides
        if self.variant != PRETRAIN:
            name = group.config
            overrides = {**group.overrides, **group.variants[self.variant].overrides}
        for variable in ("MMTAD_SYNTHETIC", "MMTAD_SYNTHETIC_FEATURES"):
            os.environ[variable] = "data"  # must not decide about the key
        config = Config.fromfile(CONFIGS / name, import_custom_modules=import_modules)
        config.merge_from_dict(overrides)
        for part in ("dataloader", "evaluator", "cfg"):
            config[f"test_{part}"] = None
        config.randomness = dict(seed=self.seed)
        if self.quick:
            config.train_cfg.max_epochs = 1
        return config

    def config_with_paths(self) -> Config:
        """The config to run."""
        config = self.config()
        loaders = (config.train_dataloader, config.val_dataloader)
        for loader, clips in zip(loaders, ("train.txt", "val.txt"), strict=True):
            if self.variant == PRETRAIN:
                loader.dataset.ann_file = str(self.data_dir / "clips" / clips)
                loader.dataset.data_prefix = dict(video=str(self.data_dir / "clips"))
            else:
                loader.dataset.data_root = str(self.data_dir)
        if self.variant != PRETRAIN:
            config.default_hooks.checkpoint = None
            if self.pretraining:
                before = self.pretraining
                config.model.backbone.pretrained = str(before.folder / before.result["checkpoint"])
        config.work_dir = str(self.folder)
        config.experiment_name = "-".join((self.group, self.variant, self.folder.name))
        return config

    def __str__(self) -> str:
        return f"{self.variant}, seed {self.seed}"


def digest(content: object) -> str:
    """Short hash of what json can write."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def follow_parent() -> None:
    """Let this worker process end with the process that started it, however that ends."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def run(job: Job) -> None:
    """Train and evaluate; leaves ``result.json`` in the job's folder. Runs in a worker process."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with open(job.folder / "log.txt", "w") as log:
        for stream in (1, 2):  # also what libraries write past Python
            os.dup2(log.fileno(), stream)
    torch.set_num_threads(job.threads)
    cpu = cpu_seconds()
    try:
        result = train(job)
    except Exception:
        traceback.print_exc()
        raise
    gc.collect()  # the loaders' processes end and are counted
    result["cpu_seconds"] = cpu_seconds() - cpu
    part = job.folder / "result.part"
    part.write_text(json.dumps(result, indent=1) + "\n")
    part.replace(job.folder / "result.json")


def train(job: Job) -> dict:
    """Train and evaluate; returns the result."""
    begin = time.monotonic()
    runner = Runner.from_cfg(job.config_with_paths())
    model = runner.train()
    result = dict(
        variant=job.variant,
        seed=job.seed,
        metrics={
            name.removeprefix("val/"): float(scalar.current())
            for name, scalar in runner.message_hub.log_scalars.items()
            if name.startswith("val/") and not name.endswith("time")
        },
        trained=count(model),
        trained_in_backbone=0 if model.backbone is None else count(model.backbone),
        seconds=time.monotonic() - begin,
    )
    if job.variant == PRETRAIN:
        result["checkpoint"] = Path((job.folder / "last_checkpoint").read_text()).name
    return result


def count(model: torch.nn.Module) -> int:
    """Number of values that are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def cpu_seconds() -> float:
    """CPU time of this process and its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
