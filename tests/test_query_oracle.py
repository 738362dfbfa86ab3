"""What queries are taught comes back: perfect predictions have a mAP of 100 on real annotations.

A head that predicts its own targets runs through data set, decoding and post-processing of the
configs, where a wrong unit, class, window or kind of label would cost something.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmtad.models.heads.query_outputs import QueryOutputs
from mmtad.models.losses.set_criterion import make_targets
from mmtad.registry import DATASETS, METRICS, MODELS
from mmtad.structures import segment_to_centerwidth

CONFIGS = Path(__file__).parents[1] / "configs"
CHANNELS = 2
ACTIVITYNET = "data/activitynet/bmn/anet_anno_action.json.gz"
THUMOS14 = "data/thumos14/actionformer_format/thumos14.json"


@pytest.fixture
def folder(tmp_path):
    """Make a folder of a database, its features and the scores of a perfect classifier."""

    def make(data_set, database, rate):
        root, features = tmp_path / data_set, tmp_path / data_set / "features"
        features.mkdir(parents=True)
        for video, info in database.items():
            steps = max(1, round(info["duration"] * rate))
            np.save(features / f"{video}.npy", np.zeros((steps, CHANNELS), np.float32))
        names = sorted({one["label"] for info in database.values() for one in info["annotations"]})
        scores = {
            video: [0.9 if name == info["annotations"][0]["label"] else 0.001 for name in names]
            for video, info in database.items()
        }
        (root / "scores.json").write_text(json.dumps({"class": names, "results": scores}))
        (root / "annotation.json").write_text(json.dumps({"database": database}))
        return root

    return make


def read(name, root, labels):
    """The test data set, the detector and the metric of a config."""
    cfg = Config.fromfile(CONFIGS / f"{name}.py")
    data, model, metric = (
        x.to_dict() for x in (cfg.test_dataloader.dataset, cfg.model, cfg.test_evaluator)
    )
    data.update(data_root=str(root), ann_file="annotation.json")
    data["features"].update(path="features/{video_id}.npy", channels=CHANNELS)
    data.pop("block_list", None)
    model["projection"].update(in_channels=CHANNELS)
    model["head"].update(num_classes=labels or model["head"]["num_classes"], actionness=None)
    if metric["post_processor"].get("video_scores"):
        metric["post_processor"]["video_scores"].update(file=str(root / "scores.json"))
    return DATASETS.build(data), MODELS.build(model).eval(), METRICS.build(metric)


def truth_of(item, actions, names, seen_from):
    """Actions of a window, whole even if it shows a part only, in steps of its grid."""
    grid, length = item["data_samples"].grid, int(item["masks"].sum())
    segments = grid.to_grid(torch.tensor([one["segment"] for one in actions], dtype=torch.float64))
    labels = torch.tensor([names.index(one["label"]) for one in actions])
    inside = segments.clamp(0, length).diff(dim=1).squeeze(1)
    keep = inside >= seen_from * segments.diff(dim=1).squeeze(1)
    return InstanceData(segments=segments[keep].float(), labels=labels[keep])


def oracle(head, truths):
    """A forward of the head that knows the truth of its windows."""

    def forward(features, masks):
        mask = masks[0]
        targets = make_targets(truths, mask, head.num_classes, head.merge_labels)
        logits = torch.full((len(mask), head.decoder.num_queries, head.num_classes), -20.0)
        segments = torch.full((*logits.shape[:2], 2), 0.5)
        for row, target in enumerate(targets):
            count = len(target.segments)
            segments[row, :count] = segment_to_centerwidth(target.segments)
            logits[row, :count] += 40 * target.labels
        assert (segments > 0).all() and (segments <= 1).all()  # else no sigmoid can reach them
        return QueryOutputs([logits], [segments], features[0].transpose(1, 2), mask)

    return forward


def evaluate(dataset, model, metric, seen_from, monkeypatch):
    names = list(dataset.metainfo["classes"])
    database = dataset.metainfo["ground_truth"]["database"]
    metric.dataset_meta = dataset.metainfo
    for item in dataset:
        sample = item["data_samples"]
        actions = database[sample.video_id]["annotations"]
        truth = truth_of(item, actions, names, seen_from)
        monkeypatch.setattr(model.head, "forward", oracle(model.head, [truth]))
        found = model.predict(item["inputs"][None], item["masks"][None], [sample])
        metric.process(None, [one.to_dict() for one in found])
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize(
    "name",
    [
        "tadtr/tadtr_i3d_128x4_16e_thumos14",  # hard suppression where windows overlap
        "dab_detr/dab-detr_i3d_128x4_120e_thumos14",  # soft; one action of several classes
        "tadtr/tadtr-opentad_i3d_256x4_17e_thumos14",  # unit of the padded length
    ],
)
def test_thumos14(name, shared, folder, monkeypatch):
    """Two windows that share a quarter: one shows 75 % of any action of half a window."""
    source = json.loads((shared / THUMOS14).read_text())["database"]
    longest, chosen = 64 * 4 / 30, {}
    for video, info in source.items():
        actions = np.array([one["segment"] for one in info["annotations"]])
        fits = np.diff(actions).max() < longest and actions.max() < info["duration"] < 110
        if info["subset"] == "Test" and fits:
            chosen[video] = info
    dataset, model, metric = read(name, folder("thumos14", chosen, 30 / 4), None)
    assert len(chosen) > 30 and len(dataset) > len(chosen)
    result = evaluate(dataset, model, metric, 0.75, monkeypatch)
    assert min(result.values()) == 1


@pytest.mark.parametrize(
    "name",
    [
        "tadtr/tadtr_tsp_192_20e_activitynet",  # the queries know the classes
        "dab_detr/dab-detr-agnostic_tsp_192_20e_activitynet",  # the video's classifier does
    ],
)
def test_activitynet(name, shared, folder, monkeypatch):
    source = json.loads(gzip.decompress((shared / ACTIVITYNET).read_bytes()))
    chosen = {
        video[2:]: dict(
            subset="validation",
            duration=info["duration_second"],
            annotations=info["annotations"],
        )
        for video, info in source.items()
        if 1 < len(info["annotations"]) <= 10
        and len({one["label"] for one in info["annotations"]}) == 1
    }
    chosen = dict(list(chosen.items())[:60])
    agnostic = "agnostic" in name
    labels = {one["label"] for info in chosen.values() for one in info["annotations"]}
    root = folder("activitynet", chosen, 15 / 16)
    dataset, model, metric = read(name, root, 1 if agnostic else len(labels))
    result = evaluate(dataset, model, metric, 0.0, monkeypatch)
    assert min(result.values()) == 1
