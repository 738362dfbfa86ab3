"""DAB-DETR as a whole: its configs, what padding does to it, and that it learns."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.registry import MODELS, TASK_UTILS
from mmtad.structures import TADDataSample, TemporalGrid

CONFIGS = Path(__file__).parents[3] / "configs/dab_detr"
LAYOUTS = pytest.mark.parametrize("qd_layout", [False, True])
VALID = 13


def read(name):
    return Config.fromfile(CONFIGS / f"{name}.py")


def shrink(model, channels=6, **decoder):
    """The detector of a config with thin layers and few queries."""
    thin = dict(embed_dims=16, num_heads=2, feedforward_channels=24)
    model.projection.update(in_channels=channels, out_channels=16)
    model.head.encoder.update(thin)
    model.head.decoder.update(thin, num_queries=8, **decoder)
    return MODELS.build(model)


def build(qd_layout):
    """In double precision; every norm, bias and offset is such that a leak would show."""
    name = f"dab-detr{'-qd' if qd_layout else ''}_i3d_128x4_120e_thumos14"
    model = shrink(read(name).model).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    for module in model.modules():
        if getattr(module, "dropout", None).__class__ is float:
            module.dropout = 0.0  # of attention weights
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def sample(length, value, valid=VALID):
    """Features ``[1, 6, length]`` and their mask; what is not valid holds the value."""
    x = torch.full((1, 6, length), value, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    x[..., :valid] = torch.randn(6, valid, generator=generator, dtype=torch.float64)
    return x, torch.arange(length)[None] < valid


def step(model, x, mask, actions=((1.0, 6.0, 0), (3.5, 12.0, 2))):
    """Losses, gradients and detections of a step of training."""
    actions = torch.tensor(actions, dtype=torch.float64).reshape(-1, 3)
    truth = InstanceData(segments=actions[:, :2], labels=actions[:, 2].long())
    features, masks = model.train().extract_features(x, mask)
    losses = model.head.loss(features, masks, [truth])
    total = sum(value for name, value in losses.items() if "loss" in name)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(total, trained)
    (found,) = model.eval().head.predict(features, masks)
    return losses, gradients, (found.segments, found.scores, found.labels)


@LAYOUTS
@pytest.mark.parametrize("value", [torch.nan, -torch.inf, 1e30])
def test_values_of_the_padding_never_matter(qd_layout, value):
    expected, found = (step(build(qd_layout), *sample(24, v)) for v in (0.0, value))
    assert all(loss.isfinite() for loss in found[0].values())
    assert_close(found, expected, rtol=0, atol=0)


@LAYOUTS
@pytest.mark.parametrize("length", [14, 37])
def test_the_amount_of_padding_never_matters(qd_layout, length):
    alone = step(build(qd_layout), *sample(VALID, 0.0))
    padded = step(build(qd_layout), *sample(length, torch.nan))
    assert len(alone[2][0]) > 10
    assert_close(padded, alone)


@LAYOUTS
def test_windows_without_actions_and_without_a_valid_step(qd_layout):
    losses, gradients, _ = step(build(qd_layout), *sample(16, torch.nan), actions=())
    assert losses["loss_cls"] > 0 and losses["loss_l1"] == losses["loss_iou"] == 0
    assert all(x.isfinite().all() for x in [*losses.values(), *gradients])
    nothing = sample(16, torch.nan, valid=0)
    losses, gradients, found = step(build(qd_layout), *nothing, actions=())
    assert all(x.isfinite().all() for x in [*losses.values(), *gradients, *found])
    assert not found[0].any()  # no valid step, no length


def test_more_actions_than_queries_are_counted():
    many = [(start, start + 1.0, 1) for start in range(11)]
    losses, gradients, _ = step(build(False), *sample(16, 0.0), actions=many)
    assert losses["unmatched_instances"] == 11 - 8
    assert all(x.isfinite().all() for x in gradients)


@LAYOUTS
def test_learns_a_tiny_data_set(qd_layout):
    torch.manual_seed(0)
    name = f"dab-detr{'-qd' if qd_layout else ''}_i3d_128x4_120e_thumos14"
    quick = dict(dropout=0.0, num_layers=3, anchor_init="uniform")
    model = shrink(read(name).model, channels=8, **quick)
    steps = 32
    actions = [torch.tensor([[4.0, 10.0], [18.0, 30.0]]), torch.tensor([[12.0, 20.0]])]
    labels = [torch.tensor([2, 7]), torch.tensor([2])]
    x = 0.1 * torch.randn(2, 8, steps)
    for one, segments, classes in zip(x, actions, labels, strict=True):
        for (start, end), label in zip(segments.int().tolist(), classes.tolist(), strict=True):
            one[label, start:end] += 3
    masks = torch.arange(steps) < torch.tensor([[steps], [25]])
    samples = []
    for segments, classes in zip(actions, labels, strict=True):
        grid = TemporalGrid(origin=0.0, step=0.1, length=steps, duration=steps / 10)
        samples.append(TADDataSample(metainfo=dict(video_id="v", grid=grid)))
        samples[-1].gt_instances = InstanceData(segments=segments, labels=classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-4)
    totals = []
    for _ in range(100):
        losses = model.train()(x, masks, samples, mode="loss")
        total, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.15 * totals[0]
    with torch.no_grad():
        found = model.eval()(x, masks, samples, mode="predict")
    for one, segments, classes in zip(found, actions, labels, strict=True):
        pairs = one.pred_instances
        for segment, label in zip(segments / 10, classes, strict=True):  # a step is 0.1 s
            close = ((pairs.segments - segment).abs() < 0.1).all(1) & (pairs.labels == label)
            assert float(pairs.scores[close].max()) > 0.2  # 0.01 before


def test_mixed_precision():
    model = shrink(read("dab-detr_i3d_128x4_120e_thumos14").model)
    x, mask = sample(24, torch.nan)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features, masks = model.extract_features(x.float(), mask)
        truth = InstanceData(segments=torch.tensor([[1.0, 6.0]]), labels=torch.tensor([3]))
        losses = model.head.loss(features, masks, [truth])
        (found,) = model.head.predict(features, masks)
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())
    assert found.segments.isfinite().all() and found.segments.dtype == torch.float32


def test_options_of_the_authors_on_images():
    """Dropout off, PReLU, wide layers, another temperature of the steps, frozen centres, GIoU."""
    cfg = read("dab-detr-giou_i3d_128x4_120e_thumos14")
    wide = dict(feedforward_channels=48, dropout=0.0, activation="prelu")
    cfg.model.head.position = dict(temperature=20)
    cfg.model.head.criterion.update(loss_class=1.0, matcher=dict(cost_class=2.0))
    model = shrink(cfg.model, frozen_centers=True).double()
    model.head.encoder = MODELS.build(dict(cfg.model.head.encoder, **wide)).double()
    model.head.decoder = MODELS.build(dict(cfg.model.head.decoder, **wide)).double()
    losses, gradients, found = step(model, *sample(24, torch.nan))
    assert all(x.isfinite().all() for x in [*losses.values(), *gradients, *found])
    assert model.head.position.temperature == 20 and model.head.decoder.temperature == 10000
    assert model.head.criterion.matcher.weights == (2.0, 5.0, 2.0)


def test_every_query_keeps_its_score_in_the_class_of_the_video(tmp_path):
    cfg = read("dab-detr_tsp_192_20e_activitynet")
    model = shrink(cfg.model)
    classes = [f"class {i:03d}" for i in range(200)]
    scores = torch.linspace(0.1, 0.5, 200)
    scores[17] = 0.8
    file = tmp_path / "scores.json"
    file.write_text(json.dumps({"class": classes, "results": {"v": scores.tolist()}}))
    options = cfg.test_evaluator.post_processor.to_dict()
    options["video_scores"].update(file=str(file))
    options["nms"]["min_score"] = 0.0
    process = TASK_UTILS.build(options)
    x, mask = sample(24, torch.nan)
    features, masks = model.eval().extract_features(x.float(), mask)
    (raw,) = model.head.predict(features, masks)
    assert len(raw) == 8 * 200
    final = process([raw], video_id="v", classes=classes, duration=20.0)
    assert set(final.labels.tolist()) == {17} and len(final) == 8
    logits = model.head(features, masks).class_logits[-1][0, :, 17]
    assert float(final.scores[0]) == pytest.approx(logits.sigmoid().max().item() * 0.8, rel=1e-5)


def test_the_other_reading_of_fused_scores():
    cfg = read("dab-detr-agnostic_tsp_192_20e_activitynet")
    assert cfg.model.head.num_classes == 1
    assert cfg.train_dataloader.dataset.pipeline[-1].class_agnostic
    assert cfg.test_evaluator.post_processor.video_scores.relabel
    assert cfg.test_evaluator.post_processor.video_scores.topk == 1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dab-detr_i3d_128x4_120e_thumos14", (20, 2048, 128, 120, 2e-4, 200)),
        ("dab-detr_i3d_192_20e_activitynet", (200, 2048, 192, 20, 1e-4, 100)),
        ("dab-detr_tsn_192_20e_activitynet", (200, 400, 192, 20, 1e-4, 100)),
        ("dab-detr_tsp_192_20e_activitynet", (200, 512, 192, 20, 1e-4, 100)),
    ],
)
def test_settings_of_the_paper(name, settings):
    cfg = read(name)
    post = cfg.test_evaluator.post_processor
    assert settings == (
        cfg.model.head.num_classes,
        cfg.model.projection.in_channels,
        cfg.train_dataloader.dataset.window_size,
        cfg.train_cfg.max_epochs,
        cfg.optim_wrapper.optimizer.lr,
        post.max_per_video,
    )
    assert cfg.test_dataloader.dataset.window_size == settings[2]
    assert cfg.train_dataloader.batch_size == 16
    assert cfg.optim_wrapper.clip_grad.max_norm == 0.1
    assert (post.nms.sigma, post.nms.get("class_agnostic", False)) == (0.4, False)
    model = MODELS.build(cfg.model)
    assert len(model.head.encoder.layers) == 2 and len(model.head.decoder.layers) == 4
    assert model.head.decoder.num_queries == 40
    if settings[2] == 128:
        test, train = cfg.test_dataloader.dataset, cfg.train_dataloader.dataset
        assert (test.window_overlap, train.min_visible) == (0.25, 0.75)
        assert cfg.param_scheduler[0].milestones == [80, 100]
        assert sum(p.numel() for p in model.parameters()) == 8_100_455
