import json
import runpy
import subprocess
import sys
import textwrap

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmtad.evaluation import DetectionMetric, evaluate_detections, read_json
from mmtad.registry import METRICS, TASK_UTILS
from mmtad.structures import TADDataSample

CLASSES = ["jump", "run"]
GROUND_TRUTH = {
    "database": {
        "b": {"subset": "test", "annotations": [{"segment": [2, 4], "label": "run"}]},
        "a": {
            "subset": "test",
            "annotations": [
                {"segment": [0, 10], "label": "run"},
                {"segment": [12, 15], "label": "jump"},
            ],
        },
        "quiet": {"subset": "test", "annotations": []},
    }
}
META = {"classes": CLASSES, "ground_truth": GROUND_TRUTH}


def sample(video, window, rows=(), error=None, dtype=torch.float32):
    """A window with detections (start, end, score, label), as the detector returns it."""
    metainfo = dict(video_id=video, window_index=window)
    if error:
        metainfo["error"] = error
    result = TADDataSample(metainfo=metainfo)
    rows = torch.tensor(rows, dtype=dtype).reshape(-1, 4)
    result.pred_instances = InstanceData(
        segments=rows[:, :2], scores=rows[:, 2], labels=rows[:, 3].long()
    )
    return result


def windows():
    return [
        sample("b", 0, [[2, 4, 0.9, 1]]),
        sample("a", 0, [[0, 10, 0.8, 1], [1, 3, 0.3, 0]]),
        sample("a", 1, [[12, 15, 0.95, 0]]),
        sample("quiet", 0),
    ]


def run(metric, samples, meta=META, size=None):
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = meta
    for item in samples:
        evaluator.process([item])
    return evaluator.evaluate(size or len(samples))


def test_perfect_run(log):
    assert run(DetectionMetric(tiou_thresholds=[0.5, 0.75]), windows()) == {
        "mAP@0.50": 1.0,
        "mAP@0.75": 1.0,
        "mAP": 1.0,
    }
    assert "4 detections on 3 videos" in log[-1] and "100.00" in log[-1]


def test_built_from_a_config_and_prefixed():
    metric = METRICS.build(
        dict(type="DetectionMetric", post_processor=None, tiou_thresholds=0.5, prefix="test")
    )
    assert list(run(metric, windows())) == ["test/mAP@0.50", "test/mAP"]


def test_output_file_gives_the_same_numbers(tmp_path):
    path = tmp_path / "out" / "predictions.json"
    noisy = windows() + [sample("b", 1, [[2.7, 4.9, 1 / 3, 1]])]
    result = run(DetectionMetric(output_file=path), noisy)
    written = read_json(path)["results"]
    assert list(written) == ["b", "a", "quiet"]
    assert written["quiet"] == []
    assert [d["score"] for d in written["a"]] == sorted(d["score"] for d in written["a"])[::-1]
    third = torch.tensor(1 / 3).item()
    assert written["b"][1]["score"] == third and written["b"][1]["label"] == "run"
    assert evaluate_detections(GROUND_TRUTH, path) == result


@TASK_UTILS.register_module(name="StubPostProcessor", force=True)
class StubPostProcessor:
    """Keeps the best detection and notes how it was called."""

    calls = []

    def __call__(self, windows, video_id, classes, duration):
        StubPostProcessor.calls.append([w.scores.tolist() for w in windows])
        joined = InstanceData.cat(windows)
        return joined[joined.scores.argmax().reshape(1)] if len(joined) else joined


def test_post_processor_sees_each_video_once_with_its_windows_in_order(tmp_path):
    StubPostProcessor.calls.clear()
    path = tmp_path / "p.json"
    metric = DetectionMetric(post_processor=dict(type="StubPostProcessor"), output_file=path)
    shuffled = [
        sample("a", 1, [[12, 15, 0.5, 0]]),
        sample("quiet", 0),
        sample("a", 0, [[0, 10, 0.75, 1]]),
    ]
    run(metric, shuffled)
    assert StubPostProcessor.calls == [[[0.75], [0.5]], [[]]]
    assert {v: len(d) for v, d in read_json(path)["results"].items()} == {
        "b": 0,
        "a": 1,
        "quiet": 0,
    }


def test_real_post_processor():
    metric = DetectionMetric(
        post_processor=dict(
            type="DetectionPostProcessor", nms=dict(type="soft_nms", sigma=0.5, min_score=0.001)
        )
    )
    # The same actions seen by overlapping windows: suppression leaves them ahead of their copies.
    assert run(metric, windows() + [sample("a", 2, [[0, 9.9, 0.7, 1]])])["mAP"] == 1


def test_padded_samples_count_once():
    padded = windows() + windows()[:1]
    assert run(DetectionMetric(), padded)["mAP"] == 1


def test_plain_dicts_and_half_precision():
    metric = DetectionMetric(tiou_thresholds=0.5)
    metric.dataset_meta = META
    half = sample("b", 0, [[2, 4, 0.9, 1]], dtype=torch.bfloat16).to_dict()
    metric.process(None, [half])
    plain = {"video_id": "a", "pred_instances": {"segments": [[0.0, 10.0]], "scores": [0.5]}}
    plain["pred_instances"]["labels"] = [1]
    metric.process(None, [plain])
    assert metric.evaluate(2)["mAP"] == 0.5  # run found, jump not


def test_entries_do_not_hold_the_memory_of_the_batch():
    metric = DetectionMetric()
    big = torch.zeros(1000, 2, requires_grad=True)
    instances = InstanceData(segments=big[:1], scores=torch.ones(1), labels=torch.zeros(1).long())
    metric.process(None, [dict(video_id="a", window_index=0, pred_instances=instances)])
    kept = metric.results[0]["segments"]
    assert kept.untyped_storage().nbytes() == 8 and not kept.requires_grad


def test_unreadable_windows_are_ignored_and_reported(log, tmp_path):
    path = tmp_path / "p.json"
    samples = [
        sample("b", 0, [[2, 4, 0.9, 1]], error="b.mp4 is truncated"),
        sample("a", 0, [[0, 10, 0.8, 1]]),
        sample("a", 1, [[12, 15, 0.95, 0]], error="a.mp4 can not seek"),
    ]
    result = run(DetectionMetric(tiou_thresholds=0.5, output_file=path), samples)
    assert result["mAP"] == 0.25  # one of two runs, no jump
    assert {v: len(d) for v, d in read_json(path)["results"].items()} == {
        "b": 0,
        "a": 1,
        "quiet": 0,
    }
    assert "video 'b': 1 of 1 windows could not be read: b.mp4 is truncated" in log
    assert "video 'a': 1 of 2 windows could not be read: a.mp4 can not seek" in log
    assert any("2 of 3 videos could not be read completely; 1 of them" in line for line in log)


def test_unreadable_window_needs_no_predictions():
    broken = TADDataSample(metainfo=dict(video_id="b", window_index=0, error="gone"))
    assert run(DetectionMetric(), [broken] + windows()[1:])["mAP"] == 0.75


def test_annotation_file(tmp_path):
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(GROUND_TRUTH))
    metric = DetectionMetric(ann_file=path, subset="test")
    assert run(metric, windows(), meta={"classes": CLASSES})["mAP"] == 1
    with pytest.raises(ValueError, match="no subset 'val'"):
        DetectionMetric(ann_file=path, subset="val")
    with pytest.raises(FileNotFoundError, match=r"nothere\.json does not exist"):
        DetectionMetric(ann_file=tmp_path / "nothere.json")


def test_videos_without_annotation(tmp_path, log):
    meta = {"classes": CLASSES, "ground_truth": {"database": {"quiet": {"subset": "test"}}}}
    path = tmp_path / "p.json"
    assert run(DetectionMetric(output_file=path), [sample("quiet", 0)], meta) == {}
    assert path.exists() and any("mAP is undefined" in line for line in log)
    with pytest.raises(ValueError, match="no annotated action"):
        run(DetectionMetric(), [sample("quiet", 0)], meta)


def test_many_videos_and_evaluation_twice():
    database = {
        f"v{i:03d}": {"annotations": [{"segment": [0, 1], "label": "run"}]} for i in range(120)
    }
    meta = {"classes": CLASSES, "ground_truth": {"database": database}}
    metric = DetectionMetric(tiou_thresholds=0.5)
    for _ in range(2):
        assert run(metric, [sample(v, 0, [[0, 1, 0.5, 1]]) for v in database], meta)["mAP"] == 1


@pytest.mark.parametrize(
    "item, meta, message",
    [
        (sample("a", 3, [[float("nan"), 1, 0.5, 0]]), META, "window 3 of video 'a' are NaN"),
        (sample("a", 3, [[0, 1, float("inf"), 0]]), META, "window 3 of video 'a' are NaN or inf"),
        (sample("a", 3, [[2, 1, 0.5, 0]]), META, "window 3 of video 'a' have segments that end"),
        (TADDataSample(metainfo=dict(video_id="a")), META, "video 'a' has no pred_instances"),
        (sample("a", 0, [[0, 1, 0.5, 7]]), META, "prediction of class 7, but the dataset has 2"),
        (sample("a", 0), {}, "needs 'ground_truth' in the metainfo .* give the metric an ann_file"),
        (
            sample("a", 0),
            {"ground_truth": GROUND_TRUTH},
            r"needs 'classes' in the metainfo of the dataset, which has \['ground_truth'\]",
        ),
    ],
)
def test_bad_input(item, meta, message):
    with pytest.raises(ValueError, match=message):
        run(DetectionMetric(), [item], meta)


def test_bad_threshold():
    with pytest.raises(ValueError, match=r"up to 1, got \[50.0\]"):
        DetectionMetric(tiou_thresholds=50)


RANK_SCRIPT = textwrap.dedent(
    """
    import json, os, sys
    import torch
    import torch.distributed as dist
    from mmengine.dataset import DefaultSampler
    from mmengine.evaluator import Evaluator
    from mmengine.structures import InstanceData
    from mmtad.evaluation import DetectionMetric
    from mmtad.structures import TADDataSample

    rank, world = int(sys.argv[1]), int(sys.argv[2])
    if world > 1:
        store = f"file://{sys.argv[3]}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    generator = torch.Generator().manual_seed(0)
    counts = {"a": 3, "b": 1, "c": 2, "d": 1}
    database = {
        v: {"annotations": [{"segment": [5.0 * i, 5.0 * i + 4], "label": "run"} for i in range(n)]}
        for v, n in counts.items()
    }
    dataset = []
    for video, number in counts.items():
        for window in range(number):
            noise = torch.randn(20, 2, generator=generator)
            segments = (torch.tensor([5.0 * window, 5.0 * window + 4]) + noise).sort(-1).values
            # Coarse scores: the order of ties has to agree too.
            scores = (torch.rand(20, generator=generator) * 5).round() / 5
            item = TADDataSample(metainfo=dict(video_id=video, window_index=window))
            item.pred_instances = InstanceData(
                segments=segments, scores=scores, labels=torch.zeros(20, dtype=torch.int64)
            )
            dataset.append(item)
    dataset[4].set_metainfo(dict(error="broken"))
    sampler = DefaultSampler(dataset, shuffle=False)
    for device in ("cpu", "gpu"):  # how the ranks exchange; with gloo both work on a CPU
        evaluator = Evaluator(
            DetectionMetric(output_file=f"{device}.json", collect_device=device)
        )
        evaluator.dataset_meta = {"classes": ["run"], "ground_truth": {"database": database}}
        for index in sampler:
            evaluator.process([dataset[index]])
        print("samples", len(sampler), "metrics", json.dumps(evaluator.evaluate(len(dataset))))
    if world > 1:  # gloo's threads may abort an interpreter that exits as usual
        dist.barrier()
        sys.stdout.flush()
        os._exit(0)
    """
)


def results_of(out, folder):
    """What the script printed for either way of exchange, and the files that it wrote."""
    lines = [line.split(" metrics ") for line in out.splitlines() if line.startswith("samples")]
    return lines, [(folder / f"{device}.json").read_text() for device in ("cpu", "gpu")]


def test_two_processes_equal_one(tmp_path, monkeypatch, capsys):
    script = tmp_path / "rank.py"
    script.write_text(RANK_SCRIPT)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    command = [sys.executable, str(script), "{}", "2", str(two / "store")]
    ranks = [
        subprocess.Popen(
            [part.format(rank) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=two,
        )
        for rank in range(2)
    ]
    monkeypatch.chdir(one)
    monkeypatch.setattr(sys, "argv", [str(script), "0", "1"])
    runpy.run_path(str(script))
    single, written = results_of(capsys.readouterr().out, one)
    metrics = single[0][1]
    assert single == [["samples 7", metrics]] * 2
    assert 0.05 < json.loads(metrics)["mAP"] < 0.95
    assert written[0] == written[1]
    for rank in ranks:
        out, err = rank.communicate(timeout=120)
        assert rank.returncode == 0, err
        # The sampler padded the seven windows to four per rank.
        assert results_of(out, two) == ([["samples 4", metrics]] * 2, written)
