"""The settings of query-based detectors are those of their papers and public codes."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmtad.registry import MODELS

ROOT = Path(__file__).parents[1] / "configs"
FOLDERS = ("dab_detr", "deformable_detr", "self_detr", "tadtr")
FILES = {file.stem: file for folder in FOLDERS for file in (ROOT / folder).glob("*.py")}
# On features; on raw video: test_sparse_configs.py.
SP_TAD = {f.stem: f for f in (ROOT / "sp_tad").glob("*.py") if "x1-96_" not in f.stem}

# By detector, steps, epochs and data set, whatever the features and the variant: epochs after
# which the rate falls to a tenth (or those of warm-up and cosine), rate, windows a step, what the
# next window repeats in training and in testing, share of an action that a training window shows.
#
# LTP, its baselines and Self-DETR: 2e-4 and drops at 80 and 100 of 120 epochs on THUMOS14; 1e-4
# and 20 epochs on ActivityNet. TadTR and E2E-TAD: 16 epochs on windows that share three quarters;
# OpenTAD has the overlaps of TadTR the other way round.
LTP = ([80, 100], 2e-4, 16, 0.25, 0.25, 0.75)
E2E_TAD = ([14], 1e-4, 4, 0.75, 0.25, 0.75)
ACTIVITYNET = ((5, 15), 1e-4, 16, None, None, None)
ADAPTERS = ([80, 100], 1e-4, 2, None, 0.5, 0.75)  # as LTP, on the windows of AdaTAD
TRAINING = {
    "128x4_120e_thumos14": LTP,
    "128x4_16e_thumos14": ([14], 2e-4, 16, 0.75, 0.25, 0.75),
    "256x4_17e_thumos14": ([14], 2e-4, 8, 0.25, 0.75, 0.75),
    "192_20e_activitynet": ACTIVITYNET,
    "256x1-96_16e_thumos14-rgb": E2E_TAD,
    "256x3-96_17e_thumos14-rgb": ([14], 1e-4, 4, 0.25, 0.75, 0.75),
    "768x4-160_120e_thumos14-rgb": ADAPTERS,
    "192x4-160_20e_activitynet-rgb": ACTIVITYNET,
    "96x4-96_20e_activitynet-rgb": ACTIVITYNET,
}
# Layers of the encoder (LTP 2), queries. All have 4 decoder layers and 1024 channels inside the
# feed-forward layers.
OWN_TADTR = (
    "128x4_16e_thumos14",
    "256x4_17e_thumos14",
    "256x1-96_16e_thumos14-rgb",
    "256x3-96_17e_thumos14-rgb",
)
SETTING = re.compile(r"_(\d+(x\d+)?(-\d+)?_\d+e_[a-z0-9-]+)$")


def setting_of(name: str) -> str:
    return SETTING.search(name)[1]


@pytest.mark.parametrize("name", FILES)
def test_training(name):
    cfg, data = Config.fromfile(FILES[name]), {}
    for mode in ("train", "test"):
        data[mode] = cfg[f"{mode}_dataloader"].dataset
    sliding = {mode: d.window_overlap for mode, d in data.items() if d.sampling == "sliding"}
    last = cfg.param_scheduler[-1]
    if last.type == "MultiStepLR":
        (steps,) = cfg.param_scheduler
        schedule = list(steps.milestones)
        assert steps.gamma == 0.1
    else:
        warm, cosine = cfg.param_scheduler
        schedule = (warm.end, cosine.T_max)
        assert cosine.begin == warm.end and warm.start_factor <= 1e-8
    resized = data["train"].sampling == "resize"
    found = (
        schedule,
        cfg.optim_wrapper.optimizer.lr,
        cfg.train_dataloader.batch_size,
        sliding.get("train"),
        sliding.get("test"),
        None if resized else data["train"].min_visible,
    )
    assert found == TRAINING[setting_of(name)]
    assert cfg.optim_wrapper.clip_grad.max_norm == 0.1
    assert cfg.optim_wrapper.optimizer.weight_decay == 1e-4
    adam = FILES[name].parent.name == "self_detr" and not name.endswith("-rgb")  # as in the paper
    assert cfg.optim_wrapper.optimizer.type == ("Adam" if adam else "AdamW")


@pytest.mark.parametrize("name", FILES)
def test_model_and_loss(name):
    """Costs and weights are the head's defaults, see below."""
    cfg = Config.fromfile(FILES[name])
    head, post = cfg.model.head, cfg.test_evaluator.post_processor
    encoder, decoder = head.encoder, head.decoder
    tadtr = FILES[name].parent.name == "tadtr"
    own = tadtr and setting_of(name) in OWN_TADTR
    queries = 100 if "768x4" in name else 10 if tadtr and "activitynet" in name else 40
    assert (encoder.num_layers, decoder.num_layers) == (4 if own else 2, 4)
    assert decoder.num_queries == queries
    assert {part.feedforward_channels for part in (encoder, decoder)} == {1024}
    assert head.get("merge_labels", True) == (not own)
    assert ("actionness" in head) == tadtr
    assert head.get("shared_classifier", True) == ("DAB" in decoder.type)
    assert cfg.model.projection.get("norm_groups") == (None if "DAB" in decoder.type else 32)
    assert cfg.model.projection.num_convs == cfg.model.projection.kernel_size == 1
    assert not cfg.model.projection.activation and decoder.embed_dims == 256
    criterion = dict(head.get("criterion") or {})
    assert criterion == (dict(iou_type="giou") if "-giou_" in name else {})
    if own and "opentad" not in name:
        assert post.nms == dict(type="nms", iou_threshold=0.4, overlaps_only=True)
        assert (post.max_per_video, head.max_per_window) == (None, 100)
        return
    kept = 100 if "activitynet" in name else 2000 if "opentad" in name else 200
    assert (post.nms.sigma, post.max_per_video) == (0.4, kept)


def test_costs_and_weights_are_those_of_tadtr():
    criterion = MODELS.build(dict(type="SetCriterion"))
    assert criterion.weights == dict(cls=2, l1=5, iou=2)
    assert criterion.matcher.weights == (6, 5, 2)
    for part in (criterion, criterion.matcher):
        assert (part.alpha, part.gamma) == (0.25, 2)


@pytest.mark.parametrize("name", SP_TAD)
def test_sp_tad(name):
    """What is kept is AFSD's, whose protocol the paper follows."""
    cfg = Config.fromfile(SP_TAD[name])
    head, post, (steps,) = cfg.model.head, cfg.test_evaluator.post_processor, cfg.param_scheduler
    assert (cfg.train_cfg.max_epochs, list(steps.milestones), steps.gamma) == (16, [12], 0.1)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("AdamW", 1e-4, 1e-4)
    assert (cfg.train_dataloader.batch_size, head.num_stages) == (16, 4)
    if "activitynet" in name:
        assert (head.num_proposals, post.nms.sigma, post.max_per_video) == (100, 0.85, 100)
        return
    assert (head.num_proposals, post.nms.sigma, post.max_per_video) == (50, 0.5, 5000)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert train.min_visible == 0.5
    # Windows of 256 frames begin every 30 in training and every 128 in testing.
    shares = [1 - data.window_overlap for data in (train, test)]
    assert shares == pytest.approx([30 / 256, 128 / 256])
