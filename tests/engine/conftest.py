"""A detector of a few layers with a frozen encoder, and a runner for it."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmtad.models.losses.loss_normalizer import LossNormalizer
from mmtad.registry import WEIGHT_INITIALIZERS

WIDTH = 128  # of the frozen part; what is trained is some 30 numbers
DATA = [dict(inputs=torch.arange(4.0) * i) for i in range(8)]


class Encoder(BaseModule):
    """As VideoEncoder: a frozen backbone with adapters inside, perhaps pre-trained."""

    def __init__(self, pretrained=None, adapter=True, frozen=True):
        super().__init__()
        self.pretrained = pretrained and dict(
            type="mmtad.PretrainedWeights",
            checkpoint=str(pretrained),
            source=None,
            min_match=0.9,
            ignore_missing=[r"(^|\.)adapter\."],
        )
        self.backbone = nn.Sequential(
            nn.Linear(4, WIDTH), nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 4)
        ).requires_grad_(not frozen)
        self.frozen = frozen
        if adapter:
            self.backbone[3].add_module("adapter", nn.Linear(4, 4))

    def init_weights(self):
        first = not self.is_init
        super().init_weights()
        if self.pretrained and first:
            WEIGHT_INITIALIZERS.build(self.pretrained)(self.backbone)

    def train(self, mode=True):
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, x):
        x = self.backbone(x)
        adapter = getattr(self.backbone[3], "adapter", None)
        return x if adapter is None else x + checkpoint(adapter, x, use_reentrant=False)


class Detector(BaseModel):
    def __init__(self, **encoder):
        super().__init__()
        self.backbone = Encoder(**encoder)
        self.head = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))
        self.normalizer = LossNormalizer(2.0)

    def forward(self, inputs, mode="tensor"):
        scores = self.head(self.backbone(torch.stack(inputs)))
        if mode == "loss":
            count = self.normalizer(scores.new_tensor(float(len(scores))))
            return dict(loss=(scores - 1).square().sum() / count)
        return [SimpleNamespace()] * len(scores)


def make_runner(work_dir, model=None, hooks=("TrainableEMAHook",), epochs=2, **kwargs):
    """A runner over eight samples, in batches of two, without shuffling."""
    loader = dict(dataset=DATA, batch_size=2, sampler=dict(type="DefaultSampler", shuffle=False))
    custom = [dict(type=hook) if isinstance(hook, str) else hook for hook in hooks]
    return Runner(
        model or Detector(),
        str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.05)),
        param_scheduler=dict(type="LinearLR", start_factor=0.1, end=8, by_epoch=False),
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1)),
        custom_hooks=[dict(type="LoadReportHook"), *custom],
        randomness=dict(seed=0),
        default_scope="mmtad",
        experiment_name=f"{work_dir}",
        **kwargs,
    )


@pytest.fixture(scope="session")
def detector():
    return Detector


@pytest.fixture(scope="session")
def runner():
    return make_runner


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory):
    """File with the weights of the frozen backbone."""
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("pretrained") / "backbone.pth"
    backbone = Encoder(adapter=False).backbone
    nn.init.uniform_(backbone[1].running_mean)
    torch.save(dict(state_dict=backbone.state_dict()), path)
    return path
