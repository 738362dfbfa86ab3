"""Every config on features is what its name says, trains a tiny step and predicts."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

from mmtad.registry import DATASETS, METRICS, MODELS, TASK_UTILS, TRANSFORMS
from mmtad.structures import TADDataSample, TemporalGrid

ROOT = Path(__file__).parents[1] / "configs"
QUERIES = ("dab_detr", "deformable_detr", "self_detr", "sp_tad", "tadtr")
METHODS = ("actionformer", "bmn", "gtad", "tridet", *QUERIES)
LEAVES = sorted(
    file
    for method in METHODS
    for file in (ROOT / method).glob("*.py")
    if not re.search(r"_\d+x\d+-\d+_", file.stem)  # on raw video: test_configs.py
)
CHANNELS, STEPS = 24, 64
NAME = re.compile(
    rf"(?P<method>{'|'.join(METHODS).replace('_', '-')})(?P<variant>-[a-z0-9-]+)?_"
    r"(?P<features>[a-z0-9-]+)_(?P<steps>\d+)(x(?P<stride>\d+))?_(?P<epochs>\d+)e_"
    r"(?P<dataset>[a-z0-9-]+)"
)
# Learning rate and weight decay that the authors' codes or OpenTAD have.
RATES = {
    ("actionformer", "activitynet"): (1e-3, 0.05),
    ("actionformer", None): (1e-4, 0.05),
    ("bmn", "activitynet"): (1e-3, 1e-4),
    ("bmn", None): (1e-4, 1e-4),
    ("gtad", "activitynet"): (4e-3, 1e-4),
    ("gtad", None): (1e-4, 1e-4),
    ("tridet", "activitynet"): (1e-3, 0.04),
    ("tridet", "thumos14"): (1e-4, 0.025),
    ("tridet", None): (1e-4, 0.05),
    ("tadtr", "activitynet"): (1e-4, 1e-4),
    ("tadtr", None): (2e-4, 1e-4),
    ("sp-tad", None): (1e-4, 1e-4),
}
for method in ("dab-detr", "deformable-detr", "self-detr"):  # as TadTR
    RATES |= {(method, name): RATES["tadtr", name] for name in ("activitynet", None)}
CLASSES = {"thumos14": 20, "multithumos": 65, "epic-verb": 97, "ego4d": 110, "activitynet": 1}

by_leaf = pytest.mark.parametrize("file", LEAVES, ids=lambda f: f.stem)


@cache
def read(file: Path) -> Config:
    return Config.fromfile(file)


def config(file: Path) -> Config:
    """A copy that a test may change."""
    return Config(read(file).to_dict())


def batch(labels: int) -> dict:
    """Two samples, the second one shorter where the head allows it."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for index in range(2):
        grid = TemporalGrid(origin=0.0, step=0.1, length=STEPS, duration=STEPS / 10)
        sample = TADDataSample(metainfo=dict(video_id="v", grid=grid, window_index=index))
        sample.gt_instances = InstanceData(
            segments=torch.tensor([[4.0, 14.0], [20.0, 33.0], [40.0, 60.0]][: index + 2]),
            labels=torch.arange(index + 2) % labels,
        )
        samples.append(sample)
    features = [torch.randn(CHANNELS, STEPS, generator=generator) for _ in samples]
    masks = [torch.arange(STEPS) < length for length in (STEPS, STEPS - 9)]
    return dict(inputs=features, masks=masks, data_samples=samples)


@by_leaf
def test_model_trains_and_predicts(file, shrink_detector, with_video_scores):
    cfg = config(file)
    torch.manual_seed(0)
    model = MODELS.build(shrink_detector(cfg.model, CHANNELS, STEPS))
    model.init_weights()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    name = NAME.fullmatch(file.stem)
    lr, decay = RATES.get((name["method"], name["dataset"]), RATES[name["method"], None])
    rates = [0.1 * lr, lr] if name["method"] in ("deformable-detr", "tadtr") else [lr]
    found = sorted({group["lr"] for group in wrapper.optimizer.param_groups})
    assert found == pytest.approx(rates)
    decays = {group["weight_decay"] for group in wrapper.optimizer.param_groups}
    assert decays <= {0, decay, 10 * decay} and decay in decays
    data = batch(cfg.model.head.get("num_classes", 1))
    model.train()
    losses = model(**model.data_preprocessor(data, True), mode="loss")
    total, _ = model.parse_losses(losses)
    before = [p.detach().clone() for p in model.parameters()]
    wrapper.update_params(total)
    assert torch.isfinite(total)
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert sum(moved) > len(moved) / 2
    model.eval()
    with torch.no_grad():
        found = model(**model.data_preprocessor(data, False), mode="predict")
    process = TASK_UTILS.build(with_video_scores(cfg.test_evaluator.post_processor.to_dict()))
    windows = [sample.pred_instances for sample in found]
    for sample, window in zip(found, windows, strict=True):
        window.set_metainfo(dict(extent=sample.grid.extent))
    assert all(len(window) and window.segments.isfinite().all() for window in windows)
    final = process(windows, video_id="v", classes=["a", "b", "c"], duration=STEPS / 10)
    assert len(final) and final.segments.min() >= 0 and final.segments.max() <= STEPS / 10
    if process.video_scores is not None:
        assert set(final.labels.tolist()) <= {1, 2}  # the best classes of the video


@by_leaf
def test_name_says_what_is_inside(file):
    cfg, name = config(file), NAME.fullmatch(file.stem)
    assert name is not None
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert cfg.val_dataloader == cfg.test_dataloader and cfg.val_evaluator == cfg.test_evaluator
    for dataset in (train, test):
        assert dataset.type == "FeatureDataset" and dataset.window_size == int(name["steps"])
        resized = dataset.sampling == "resize"
        assert resized == (name["stride"] is None)
        if not resized:
            assert dataset.feature_stride * dataset.get("step_stride", 1) == int(name["stride"])
        streams = dataset.features if isinstance(dataset.features, list) else [dataset.features]
        part = "" if name["features"] == "three-features" else name["features"]
        assert all(part in stream["path"] for stream in streams)
        wide = sum(stream["channels"] for stream in streams)
        expected = cfg.model.projection.in_channels
        assert wide == (expected if isinstance(expected, int) else sum(expected))
    assert train.ann_file == test.ann_file and train.subset != test.subset
    epochs = int(name["epochs"])
    assert cfg.train_cfg.max_epochs == epochs > cfg.train_cfg.val_begin
    assert cfg.param_scheduler[-1].get("end", epochs) == epochs
    head = cfg.model.head
    if head.type == "BoundaryMapHead":
        assert head.num_steps == int(name["steps"])
        return
    if name["method"].replace("-", "_") in QUERIES:
        check_queries(cfg, name)
        return
    if name["dataset"] in CLASSES:
        assert head.num_classes == CLASSES[name["dataset"]]
    if train.get("classes"):
        assert len(train.classes) == head.num_classes
    agnostic = head.num_classes == 1
    assert agnostic == bool(cfg.test_evaluator.post_processor.get("video_scores"))
    assert agnostic == train.pipeline[-1].get("class_agnostic", False)
    assert int(name["steps"]) <= cfg.model.projection.max_seq_len
    levels = 1 + cfg.model.projection.get("arch", (2, 2, 5))[-1]
    assert cfg.model.neck.get("num_levels", 6) == levels
    if cfg.model.projection.type != "ConvTransformerProjection":
        return
    windows = cfg.model.projection.window
    windows = [windows] * levels if isinstance(windows, int) else windows
    for level, window in enumerate(windows):  # what the public codes require
        assert cfg.model.projection.max_seq_len % (max(window - 1, 1) << level) == 0


def check_queries(cfg: Config, name: re.Match) -> None:
    """Classes and how the scores of videos meet them; nothing is lost between queries and NMS."""
    head, post = cfg.model.head, cfg.test_evaluator.post_processor
    classes = cfg.train_dataloader.dataset.get("classes")
    assert len(classes or range(200)) == head.num_classes or head.num_classes == 1
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert not classes or not pipeline[-1].get("class_agnostic", False)
    scores = post.get("video_scores")
    assert bool(scores) == (name["dataset"] == "activitynet")
    if scores:
        assert scores.get("relabel", True) == (head.num_classes == 1)
        assert (post.max_per_video, scores.topk) == (100, 1)
        # Of all classes only that of the video remains: no pair of query and class may go before.
        queries = head.decoder.num_queries if "decoder" in head else head.num_proposals
        assert head.max_per_window >= queries * head.num_classes
    if "decoder" in head:
        assert head.get("preset", "padding_free") == (
            "opentad" if "opentad" in (name["variant"] or "") else "padding_free"
        )
        assert len({part.embed_dims for part in (head.encoder, head.decoder)}) == 1
    assert not any(hook.type == "TrainableEMAHook" for hook in cfg.custom_hooks)


@by_leaf
def test_parts_build(file, with_video_scores):
    cfg = config(file)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert DATASETS.get(loader.dataset.type) is not None
        assert all(TRANSFORMS.build(t) for t in loader.dataset.pipeline)
    evaluator = cfg.test_evaluator.to_dict()
    with_video_scores(evaluator["post_processor"])
    for measure in evaluator.get("measures", []):
        if isinstance(measure, dict):
            with_video_scores(measure.get("post_processor", {}))
    METRICS.build(evaluator)


@by_leaf
def test_leaves_are_short_and_state_their_goal(file):
    lines = file.read_text().splitlines()
    assert len(lines) < 60 and lines[0].startswith("# Published: ")


@pytest.mark.parametrize("method", METHODS)
def test_every_leaf_is_listed_with_its_numbers(method):
    folder = ROOT / method
    models = {m["Name"]: m for m in yaml.safe_load((folder / "metafile.yml").open())["Models"]}
    readme = (folder / "README.md").read_text()
    files = sorted(folder.glob("*.py"))
    assert set(models) == {file.stem for file in files}
    for file in files:
        assert models[file.stem]["Config"] == f"configs/{method}/{file.name}"
        (row,) = (line for line in readme.splitlines() if line.startswith(f"| [`{file.stem}`]"))
        comment = " ".join(file.read_text().split("_base_")[0].split())
        for result in models[file.stem].get("Results", []):
            for value in result["Metrics"].values():
                number = f"{value:.2f}" if f"{value:.2f}" in comment else str(value)
                assert number in row and number in comment
