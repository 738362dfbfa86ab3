"""Every config is what its name says, builds its model tiny, trains a step and predicts."""

import json
import re
from functools import cache, partial
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

import mmtad  # noqa: F401  (lets mixed precision run without a GPU)
from mmtad.engine.optimizers import role_of
from mmtad.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS
from mmtad.structures import TADDataSample, TemporalGrid

ROOT = Path(__file__).parents[1] / "configs"
QUICKSTART = sorted((ROOT / "quickstart").glob("*actionformer_synthetic.py"))
ADATAD = sorted((ROOT / "adatad").glob("*.py"))
QUERY_METHODS = ("dab_detr", "self_detr", "tadtr")
QUERIES = sorted(file for name in QUERY_METHODS for file in (ROOT / name).glob("*-rgb.py"))
LEAVES = QUICKSTART + ADATAD + QUERIES
ENCODERS = sorted(
    file for file in (ROOT / "_base_/models").glob("*.py") if Config.fromfile(file).get("encoder")
)
FRAMES, SIZE, WIDTH, MAX_STEPS = 64, 32, 16, 64
NAME = re.compile(
    r"(?P<method>[a-z0-9-]+)_(?P<backbone>[a-z0-9-]+)_((?P<head>actionformer|tridet|bmn|gtad)_)?"
    r"(?P<frames>\d+)x(?P<stride>\d+)-(?P<size>\d+)_(?P<epochs>\d+)e_(?P<dataset>[a-z0-9-]+)-rgb"
)
# Detector and adapters, published or released; 2e-4 for some adapters on THUMOS14, see below.
RATES = {
    "thumos14": (1e-4, 1e-4),
    "activitynet": (1e-3, 1e-4),
    "epic-verb": (1e-4, 8e-5),
    "epic-noun": (1e-4, 8e-5),
    "ego4d": (1e-4, 4e-4),
}
OPENED = ("bias-tuning", "longlora")  # biases, norms of the backbone at the adapters' rate
ADAPTERS = {  # parameters and modules of the adapters, at full size
    "adatad_videomae-s_actionformer_768x4-160_60e_thumos14-rgb": (1_006_860, 12),
    "adatad_videomae-b_actionformer_768x4-160_60e_thumos14-rgb": (4_004_364, 12),
    "adatad_videomae-l_actionformer_768x4-160_60e_thumos14-rgb": (14_217_240, 24),
    "adatad_videomae-h_actionformer_768x4-160_60e_thumos14-rgb": (29_593_632, 32),
    "adatad_videomaev2-g_actionformer_768x4-160_60e_thumos14-rgb": (44_746_280, 40),
    "plain-adapter_videomae-b_actionformer_768x4-160_60e_thumos14-rgb": (3_550_476, 12),
    "adatad_slowfast-r50_actionformer_768x4-160_60e_thumos14-rgb": (11_355_024, 16),
    "adatad_videoswin-b_actionformer_768x4-160_60e_thumos14-rgb": (3_956_120, 24),
}

mmaction = pytest.mark.usefixtures("_mmaction")


@pytest.fixture
def _mmaction():
    pytest.importorskip("mmaction")


def by_name(files):
    return pytest.mark.parametrize("file", files, ids=lambda f: f.stem)


@cache
def read(file: Path) -> Config:
    return Config.fromfile(file)


def config(file: Path) -> Config:
    """A copy that a test may change."""
    return Config(read(file).to_dict())


def shrink_encoder(encoder: dict) -> dict:
    """The same encoder with few and thin blocks, by family."""
    backbone = encoder["backbone"]
    kind = backbone["type"].split(".")[-1]
    blocks = 2
    if kind == "VisionTransformer":
        depth = backbone["depth"]
        backbone.update(embed_dims=WIDTH, depth=blocks, num_heads=2)
        if encoder.get("adapter_indices"):
            chosen = {index * blocks // depth for index in encoder["adapter_indices"]}
            encoder.update(adapter_indices=sorted(chosen))
    elif kind == "SwinTransformer3D":
        backbone.update(
            arch=dict(embed_dims=8, depths=[1] * 4, num_heads=[1] * 4), window_size=(2, 2, 2)
        )
    elif kind == "ResNet3dSlowFast":
        backbone["slow_pathway"].update(depth=18, base_channels=16)
        backbone["fast_pathway"].update(depth=18, base_channels=2)
    else:
        backbone.update(depth=18 if backbone["depth"] > 34 else 34, base_channels=8)
    encoder.update(pretrained=None)
    return encoder


def batch(steps: int) -> dict:
    grid = TemporalGrid(origin=0.0, step=0.1, length=steps, duration=steps / 10)
    sample = TADDataSample(metainfo=dict(video_id="v", grid=grid, window_index=0))
    segments = torch.tensor([[steps / 8, steps / 2]])
    sample.gt_instances = InstanceData(segments=segments, labels=torch.tensor([0]))
    frames = torch.zeros(3, FRAMES, SIZE, SIZE, dtype=torch.uint8)
    masks = torch.ones(steps, dtype=torch.bool)
    return dict(inputs=[frames], masks=[masks], data_samples=[sample])


def trained_roles(method: str) -> set[str]:
    roles = {"detector"}
    if "fullft" in method or method in OPENED:
        roles.add("backbone")
    if not method.startswith(("fullft", "frozen", "bias-tuning")):
        roles.add("adapter")
    return roles


@mmaction
@by_name(LEAVES)
def test_model_trains_and_predicts(file, shrink_detector, with_video_scores):
    cfg = config(file)
    steps = FRAMES // cfg.train_dataloader.dataset.get("frames_per_step", 1)
    channels = MODELS.build(shrink_encoder(cfg.model["backbone"])).out_channels
    limit = MAX_STEPS if "max_seq_len" in cfg.model["projection"] else steps
    model = MODELS.build(shrink_detector(cfg.model, channels, limit))
    model.init_weights()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    data = batch(steps)
    model.train()
    with optim_wrapper.optim_context(model):
        losses = model(**model.data_preprocessor(data, True), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    roles = {role_of(name) for name, p in model.named_parameters() if p.grad is not None}
    if file in QUERIES:
        assert roles == {"detector", "backbone" if "slowfast" in file.stem else "adapter"}
        check_query_rates(file, optim_wrapper)
    else:
        assert roles == trained_roles(file.stem.split("_")[0])
        check_rates(file, optim_wrapper)
    model.eval()
    with torch.no_grad():
        (out,) = model(**model.data_preprocessor(data, False), mode="predict")
    found = out.pred_instances
    found.set_metainfo(dict(extent=out.grid.extent))
    assert len(found) and found.segments.shape[-1] == 2
    process = TASK_UTILS.build(with_video_scores(cfg.test_evaluator.post_processor.to_dict()))
    final = process([found], video_id="v", classes=["a", "b", "c"], duration=steps / 10)
    if process.video_scores is not None:
        assert set(final.labels.tolist()) == ({1} if file in QUERIES else {1, 2})


def check_query_rates(file: Path, optim_wrapper) -> None:
    """Those of E2E-TAD with a whole SlowFast, of AdaTAD and LTP with adapters."""
    expected = dict(detector=(1e-4, 1e-4), offsets=(1e-5, 1e-4), backbone=(5e-6, 1e-4))
    expected["adapter"] = (1e-4 if "activitynet" in file.stem else 2e-4, 0.05)
    groups = {group["name"]: group for group in optim_wrapper.optimizer.param_groups}
    assert ("offsets" in groups) == file.stem.startswith("tadtr")
    for name, group in groups.items():
        assert (group["lr"], group["weight_decay"]) == expected[name], name


def check_rates(file: Path, optim_wrapper) -> None:
    name = NAME.fullmatch(file.stem)
    if name is None:
        return
    detector, adapter = RATES[name["dataset"]]
    last_side = "side" in name["method"] and name["frames"] == "1536"
    if name["dataset"] == "thumos14" and (name["backbone"] == "videomae-s" or last_side):
        adapter = 2e-4
    expected = dict(detector=detector, adapter=adapter, backbone=1e-5)
    if name["method"] in OPENED:
        expected["backbone"] = 1e-4
    for group in optim_wrapper.optimizer.param_groups:
        role = group["name"].removesuffix("_no_decay")
        assert group["lr"] == expected[role], group["name"]
        assert group["weight_decay"] == (0 if group["name"].endswith("_no_decay") else 0.05)
        assert role != "adapter" or group["name"] == "adapter"  # all of it decays


@mmaction
@by_name(ENCODERS)
def test_encoder_of_every_family(file):
    encoder = MODELS.build(shrink_encoder(config(file).encoder))
    encoder.init_weights()
    encoder.train()
    frames = torch.randn(1, 3, FRAMES, SIZE, SIZE)
    out = encoder(frames, 16)
    assert out.shape == (1, encoder.out_channels, 16)
    out.mean().backward()
    adapters = [p.grad for name, p in encoder.named_parameters() if role_of(name) == "adapter"]
    assert adapters and all(grad is not None for grad in adapters)


@cache
def full_size(encoder: str):
    """A whole encoder without memory behind it."""
    # The blocks' drop-path rates are read from a tensor.
    rates = mock.patch.object(torch, "linspace", partial(torch.linspace, device="cpu"))
    with torch.device("meta"), rates:
        return MODELS.build(dict(json.loads(encoder), pretrained=None))


@mmaction
@by_name([f for f in ADATAD if f.stem in ADAPTERS])
def test_full_size_adapters(file):
    encoder = full_size(json.dumps(config(file).model.backbone.to_dict(), sort_keys=True))
    count = sum(p.numel() for n, p in encoder.named_parameters() if role_of(n) == "adapter")
    assert (count, len(encoder.adapters)) == ADAPTERS[file.stem]


@mmaction
@by_name(ADATAD + QUERIES)
def test_detector_fits_the_encoder(file):
    model = config(file).model
    encoder = model.backbone.to_dict() | dict(
        type="VideoEncoder", adapter=None, adapter_indices=None, clips_per_group=None
    )
    encoder |= dict(representation="frame", frozen=True, clip_frames=encoder.get("clip_frames", 16))
    if encoder["backbone"]["type"] != "mmaction.VisionTransformer":
        encoder["clip_frames"] = None
    encoder["backbone"].pop("drop_path_rate", None)
    encoder.pop("pretrained")
    channels = full_size(json.dumps(encoder, sort_keys=True)).out_channels
    assert model.projection.in_channels == channels


@by_name(ADATAD + QUERIES)
def test_name_says_what_is_inside(file):
    cfg, name = config(file), NAME.fullmatch(file.stem)
    assert name is not None
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert cfg.val_dataloader == cfg.test_dataloader and cfg.val_evaluator == cfg.test_evaluator
    for dataset in (train, test):
        (size,) = {step.size for step in dataset.pipeline if "size" in step}
        assert size == int(name["size"])
        frames, per_step = dataset.window_size, dataset.get("frames_per_step", 1)
        if name["dataset"] == "thumos14":
            assert (frames, dataset.frame_stride) == (int(name["frames"]), int(name["stride"]))
            # "x1" is every frame of ten per second, others are frames of the file.
            assert dataset.get("sample_fps") == (10 if "256x1" in file.stem else None)
        else:
            assert (frames // per_step, per_step) == (int(name["frames"]), int(name["stride"]))
        if dataset.get("classes") and "num_classes" in cfg.model.head:
            assert len(dataset.classes) == cfg.model.head.num_classes
    epochs = int(name["epochs"])
    assert cfg.train_cfg.max_epochs == epochs <= cfg.param_scheduler[-1].get("end", epochs)
    projection, head = cfg.model.projection, cfg.model.head
    steps = train.window_size // train.get("frames_per_step", 1)
    if head.type == "BoundaryMapHead":
        assert head.num_steps == steps and cfg.test_evaluator.post_processor.video_scores
        return
    if file in QUERIES:
        check_queries(cfg, steps)
        return
    assert steps <= projection.max_seq_len
    levels = 1 + projection.get("arch", (2, 2, 5))[-1]
    attends = projection.type == "ConvTransformerProjection"
    windows = projection.window if attends else []
    windows = [windows] * levels if isinstance(windows, int) else windows
    for level, window in enumerate(windows):  # what the public codes require
        assert projection.max_seq_len % (max(window - 1, 1) << level) == 0
    agnostic = head.num_classes == 1
    assert agnostic == bool(cfg.test_evaluator.post_processor.get("video_scores"))
    assert agnostic == train.pipeline[-1].get("class_agnostic", False)


def check_queries(cfg: Config, steps: int) -> None:
    """The grid is the encoder's own, long windows have more queries, classes meet their videos."""
    head, post = cfg.model.head, cfg.test_evaluator.post_processor
    queries, per_window = head.decoder.num_queries, head.get("max_per_window", 200)
    if cfg.train_dataloader.dataset.sampling == "resize":
        assert steps in (96, 192) and (head.num_classes, post.max_per_video) == (200, 100)
        assert not post.video_scores.relabel and per_window == queries * head.num_classes
        assert not cfg.train_dataloader.dataset.pipeline[-1].get("class_agnostic", False)
        return
    assert (steps, queries) in ((64, 40), (128, 40), (384, 100)) and per_window <= 200
    assert "video_scores" not in post
    if "overlaps_only" in post.nms:  # TadTR and E2E-TAD: elsewhere queries need no suppression
        assert (post.nms.iou_threshold, post.get("max_per_video"), per_window) == (0.4, None, 100)
    else:
        kept = 2000 if head.get("preset") == "opentad" else 200
        assert (post.nms.sigma, post.max_per_video) == (0.4, kept)


@by_name(LEAVES)
def test_pipelines_build(file):
    cfg = config(file)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert DATASETS.get(loader.dataset.type) is not None
        assert all(TRANSFORMS.build(t) for t in loader.dataset.pipeline)


@by_name(ADATAD + QUERIES)
def test_leaves_are_short_and_state_their_goal(file):
    lines = file.read_text().splitlines()
    assert len(lines) < 60 and lines[0].startswith("# Published: ")


def test_every_leaf_is_listed_with_its_numbers():
    models = {m["Name"]: m for m in yaml.safe_load((ROOT / "adatad/metafile.yml").open())["Models"]}
    readme = (ROOT / "adatad/README.md").read_text()
    assert set(models) == {file.stem for file in ADATAD}
    for file in ADATAD:
        assert models[file.stem]["Config"] == f"configs/adatad/{file.name}"
        (row,) = (line for line in readme.splitlines() if line.startswith(f"| [`{file.stem}`]"))
        comment = " ".join(file.read_text().split("_base_")[0].split())
        for result in models[file.stem].get("Results", []):
            for value in map(str, result["Metrics"].values()):
                assert value in row and value in comment
