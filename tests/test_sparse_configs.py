"""Every config of SP-TAD from raw video: what its name says, tiny steps, the paper's settings."""

import re
from functools import cache, partial
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

from mmtad.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS
from mmtad.structures import TADDataSample, TemporalGrid

FOLDER = Path(__file__).parents[1] / "configs/sp_tad"
NAME = re.compile(
    r"sp-tad(-(?P<variant>[a-z0-9-]+))?_(?P<backbone>[a-z0-9-]+)_(?P<frames>\d+)x1-96_16e_"
    r"(?P<dataset>thumos14|activitynet)-(?P<modality>rgb|two-stream)"
)
LEAVES = [file for file in sorted(FOLDER.glob("*.py")) if NAME.fullmatch(file.stem)]
FRAMES, SIZE, WIDTH = 16, 32, 16
ABLATIONS = {
    "no-clip-classifier": dict(clip_classifier=None),
    "frozen": dict(frozen=True),
    "single-level": dict(levels=[0]),
    "last-stage": dict(sources="last"),
    "1-head": dict(num_stages=1),
    "2-heads": dict(num_stages=2),
    "6-heads": dict(num_stages=6),
}


def by_name(files):
    return pytest.mark.parametrize("file", files, ids=lambda f: f.stem)


by_leaf = by_name(LEAVES)


@cache
def read(file: Path) -> Config:
    return Config.fromfile(file)


def config(file: Path) -> Config:
    """A copy that a test may change."""
    return Config(read(file).to_dict())


def shrink_backbone(encoder: dict) -> dict:
    """The same encoder with thin blocks; an Inception-I3D has one size."""
    backbone = encoder["backbone"]
    kind = backbone["type"].split(".")[-1]
    if kind == "SwinTransformer3D":
        tiny = dict(embed_dims=8, depths=[1] * 4, num_heads=[1] * 4)
        backbone.update(arch=tiny, window_size=(2, 2, 2))
    elif kind == "ResNet3dSlowFast":
        backbone["slow_pathway"].update(depth=18, base_channels=16)
        backbone["fast_pathway"].update(depth=18, base_channels=2)
    for part in (encoder, backbone, backbone.get("rgb", {}), backbone.get("flow", {})):
        part.pop("pretrained", None)
    return encoder


def batch(channels: int) -> dict:
    samples = []
    for index in range(2):
        grid = TemporalGrid(origin=0.0, step=0.1, length=FRAMES, duration=FRAMES / 10)
        sample = TADDataSample(metainfo=dict(video_id="v", grid=grid, window_index=index))
        segments = torch.tensor([[4.0, 11.0], [2.0, 6.0]])[: 2 - index]
        labels = torch.arange(2 - index)
        sample.gt_instances = InstanceData(segments=segments, labels=labels)
        samples.append(sample)
    generator = torch.Generator().manual_seed(0)
    clips = [
        torch.randint(256, (channels, FRAMES, SIZE, SIZE), generator=generator, dtype=torch.uint8)
        for _ in samples
    ]
    masks = [torch.arange(FRAMES) < length for length in (FRAMES, FRAMES - 5)]
    return dict(inputs=clips, masks=masks, data_samples=samples)


@by_name([f for f in LEAVES if re.match(r"sp-tad(-frozen)?_[^_]+_(256|768)x", f.stem)])
def test_model_trains_and_predicts(file, shrink_sparse_head, with_video_scores):
    if not NAME.fullmatch(file.stem)["backbone"] == "i3d":
        pytest.importorskip("mmaction")
    cfg = config(file)
    torch.manual_seed(0)
    stages = MODELS.build(shrink_backbone(cfg.model["backbone"])).out_channels
    shrink_sparse_head(cfg.model["head"], WIDTH, list(stages))
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    channels = 5 if "two-stream" in file.stem else 3
    data = batch(channels)
    model.train()
    losses = model(**model.data_preprocessor(data, True), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in model.named_parameters() if p.grad is not None}
    assert ("frozen" in file.stem) != any(name.startswith("backbone.") for name in trained)
    assert {group["lr"] for group in wrapper.optimizer.param_groups} == {1e-4}
    model.eval()
    with torch.no_grad():
        found = model(**model.data_preprocessor(data, False), mode="predict")
    windows = [sample.pred_instances for sample in found]
    assert all(len(window) and window.segments.isfinite().all() for window in windows)
    process = TASK_UTILS.build(with_video_scores(cfg.test_evaluator.post_processor.to_dict()))
    final = process(windows, video_id="v", classes=["a", "b", "c"], duration=FRAMES / 10)
    assert len(final)
    if process.video_scores is not None:
        assert set(final.labels.tolist()) == {1}  # the best class of the video


@by_name([f for f in LEAVES if NAME.fullmatch(f.stem)["variant"]])
def test_heads_of_ablations_train(file, shrink_sparse_head):
    """On stages of random numbers, as the backbone is that of the whole detector."""
    cfg = config(file)
    torch.manual_seed(0)
    model = MODELS.build(shrink_sparse_head(cfg.model["head"], WIDTH, [4, 5, 6]))
    stages = [torch.randn(2, channels, 16 >> s) for s, channels in enumerate((4, 5, 6))]
    masks = [torch.ones(2, x.shape[-1], dtype=torch.bool) for x in stages]
    truth = [sample.gt_instances for sample in batch(3)["data_samples"]]
    losses = model.loss(stages, masks, truth)
    sum(value for key, value in losses.items() if "loss" in key).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(len(found) for found in model.eval().predict(stages, masks))


@by_leaf
def test_stages_fit_the_pyramid(file):
    """Channels at full size, without memory behind them."""
    model = config(file).model
    pytest.importorskip("mmaction")
    for part in (model.backbone.backbone.get(stream, {}) for stream in ("rgb", "flow")):
        part.pop("pretrained", None)
    # The blocks' drop-path rates are read from a tensor.
    rates = mock.patch.object(torch, "linspace", partial(torch.linspace, device="cpu"))
    with torch.device("meta"), rates:
        encoder = MODELS.build(model.backbone)
    assert list(encoder.out_channels) == model.head.pyramid.in_channels


@by_leaf
def test_settings_are_those_of_the_paper(file):
    cfg, name = config(file), NAME.fullmatch(file.stem)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert cfg.val_dataloader == cfg.test_dataloader and cfg.val_evaluator == cfg.test_evaluator
    frames = int(name["frames"])
    for data in (train, test):
        assert data.window_size == frames
        assert {step.size for step in data.pipeline if "Crop" in step.type} == {96}
        flow = [step for step in data.pipeline if step.type == "LoadFlow"]
        assert len(flow) == (name["modality"] == "two-stream")
    head, post = cfg.model.head, cfg.test_evaluator.post_processor
    if name["dataset"] == "thumos14":
        strides = [round(d.window_size * (1 - d.window_overlap)) for d in (train, test)]
        assert strides == [30, 128] and train.min_visible == 0.5
        assert {d.sample_fps for d in (train, test)} == {10}
        assert (head.num_classes, head.num_proposals, post.nms.sigma) == (20, 50, 0.5)
        assert len(train.classes) == 20
    else:
        assert train.sampling == test.sampling == "resize" and train.frames_per_step == 1
        assert (head.num_classes, head.num_proposals, post.nms.sigma) == (200, 100, 0.85)
        assert head.max_per_window == 200 * 100 and not post.video_scores.relabel
        assert not train.pipeline[-1].get("class_agnostic", False)
    (steps,) = cfg.param_scheduler
    optimizer = cfg.optim_wrapper.optimizer
    assert (cfg.train_cfg.max_epochs, steps.milestones, steps.gamma) == (16, [12], 0.1)
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("AdamW", 1e-4, 1e-4)
    assert cfg.train_dataloader.batch_size == 16
    assert not any(hook.type == "TrainableEMAHook" for hook in cfg.custom_hooks)


@by_leaf
def test_ablations_are_what_their_names_say(file):
    model, variant = config(file).model, NAME.fullmatch(file.stem)["variant"]
    usual = dict(
        num_stages=4, clip_classifier={}, frozen=False, levels=None, sources="all", embed_dims=256
    )
    head, pyramid = model.head, model.head.pyramid
    found = {key: head[key] for key in ("num_stages", "clip_classifier", "embed_dims")}
    found |= dict(frozen=model.backbone.get("frozen", False), levels=pyramid.get("levels"))
    found |= dict(sources=pyramid.get("sources", "all"))
    assert found == usual | (ABLATIONS[variant] if variant else {})


@by_leaf
def test_pipelines_build(file):
    cfg = config(file)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert DATASETS.get(loader.dataset.type) is not None
        assert all(TRANSFORMS.build(step) for step in loader.dataset.pipeline)


@by_leaf
def test_leaves_are_short_and_state_their_goal(file):
    lines = file.read_text().splitlines()
    assert len(lines) < 60 and lines[0].startswith("# Published: ")


def test_every_ablation_has_a_config():
    assert {NAME.fullmatch(f.stem)["variant"] for f in LEAVES} == {None, *ABLATIONS}
