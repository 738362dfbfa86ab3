"""The claims in miniature: the tool trains, keeps finished runs and prints its tables."""

import dataclasses
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "tools" / "benchmarks"


@pytest.fixture
def runs(monkeypatch):
    pytest.importorskip("mmaction")
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("MMTAD_SYNTHETIC", "elsewhere")
    import miniature_runs

    return miniature_runs


def make_job(runs, tmp_path, **changes):
    return runs.Job(
        **{**dict(group="adatad", variant="inside", seed=0, quick=True), **changes},
        work_dir=str(tmp_path),
        threads=1,
    )


def test_trains_prints_and_does_not_train_again(run_tool, tmp_path):
    pytest.importorskip("mmaction")
    out = tmp_path / "results.json"
    command = ["benchmarks/miniature.py", "adatad", "--quick", "--work-dir", tmp_path / "work"]
    command += ["--variants", "frozen", "side"]

    first = run_tool(*command, "--out", out)

    assert first.returncode == 0, first.stdout + first.stderr
    results = {one["variant"]: one for one in json.loads(out.read_text())["runs"]}
    assert set(results) == {"frozen", "side"}
    assert results["frozen"]["trained_in_backbone"] == 0 < results["side"]["trained_in_backbone"]
    assert all(0 <= one["metrics"]["mAP"] <= 1 for one in results.values())
    assert "side, seed 0: mAP" in first.stdout and "side > frozen" in first.stdout
    written = out.read_bytes()

    again = run_tool(*command, "--out", out, "--markdown")

    assert again.returncode == 0, again.stdout + again.stderr
    assert "side, seed 0: mAP" not in again.stdout and "| side " in again.stdout
    assert out.read_bytes() == written


def test_no_finished_run_is_an_error(runs, tmp_path, monkeypatch):
    import miniature

    monkeypatch.setattr("sys.argv", ["", "adatad", "--show", "--work-dir", str(tmp_path)])
    with pytest.raises(ValueError, match="no finished runs of adatad"):
        miniature.main()


def test_unknown_variant_is_one_sentence(runs, monkeypatch, capsys):
    import miniature

    monkeypatch.setattr("sys.argv", ["", "adatad", "--variants", "outside"])
    with pytest.raises(SystemExit):
        miniature.parse_args()
    assert "unknown variants ['outside']" in capsys.readouterr().err


def test_key_follows_all_that_decides_about_a_result(runs, tmp_path, monkeypatch):
    job = make_job(runs, tmp_path)
    others = [dict(variant="side"), dict(variant="kernel-1"), dict(seed=1), dict(quick=False)]
    keys = {make_job(runs, tmp_path, **other).key for other in others}
    assert len(keys) == len(others) and job.key not in keys
    assert make_job(runs, tmp_path / "moved").key == job.key

    monkeypatch.setattr(runs.synthetic, "GENERATOR_VERSION", -1)
    assert make_job(runs, tmp_path).key != job.key
    monkeypatch.undo()
    group = runs.GROUPS["adatad"]
    longer = {**group.pretrain_overrides, "train_cfg.max_epochs": 77}
    changed = dataclasses.replace(group, pretrain_overrides=longer)
    monkeypatch.setitem(runs.GROUPS, "adatad", changed)
    assert make_job(runs, tmp_path, quick=False).key not in keys


@pytest.mark.parametrize("group", ["adatad", "tia"])
def test_every_variant_is_a_model_of_its_own_that_builds(runs, tmp_path, group):
    from mmengine.registry import DefaultScope

    from mmtad.registry import MODELS

    trained = {}
    for variant in runs.GROUPS[group].variants:
        config = make_job(runs, tmp_path, group=group, variant=variant).config()
        spec = make_job(runs, tmp_path, group=group, variant=variant).spec
        assert config.model.head.num_classes == len(spec.action_classes)
        with DefaultScope.overwrite_default_scope("mmtad"):
            trained[variant] = runs.count(MODELS.build(config.model).backbone)
    assert trained["plain"] < trained["kernel-1"] < trained["inside"]
    if group == "tia":
        return
    assert trained["frozen"] == 0 < trained["side"] < trained["inside"] < trained["full"]
    assert trained["both"] == trained["full"] + trained["inside"]


def test_every_query_variant_builds_for_the_classes_of_its_features(runs, tmp_path):
    from mmengine.registry import DefaultScope

    from mmtad.datasets.synthetic_features import class_names
    from mmtad.registry import MODELS

    trained = {}
    for variant in runs.GROUPS["queries"].variants:
        job = make_job(runs, tmp_path, group="queries", variant=variant)
        config = job.config()
        assert config.model.head.num_classes == len(class_names(job.spec))
        assert config.model.projection.in_channels == job.spec.channels
        assert config.train_dataloader.dataset.window_size >= job.spec.steps[1]
        with DefaultScope.overwrite_default_scope("mmtad"):
            trained[variant] = runs.count(MODELS.build(config.model))
    assert trained["dab-detr"] == trained["self-detr"]
    assert trained["deformable"] < trained["tadtr"]
    assert trained["sp-tad-1"] < trained["sp-tad-last"] < trained["sp-tad"]


def test_trains_on_features_and_shows_layers(run_tool, tmp_path):
    pytest.importorskip("mmaction")
    out = tmp_path / "results.json"
    command = ["benchmarks/miniature.py", "queries", "--quick", "--work-dir", tmp_path / "work"]

    done = run_tool(*command, "--out", out, "--markdown")

    assert done.returncode == 0, done.stdout + done.stderr
    results = {one["variant"]: one for one in json.loads(out.read_text())["runs"]}
    assert set(results) == {"dab-detr", "self-detr"}
    layers = {"diversity/encoder_1", "diversity/encoder_2", "diversity/decoder_4"}
    assert all(layers <= set(one["metrics"]) for one in results.values())
    assert "in backbone" not in done.stdout and "decoder_4" in done.stdout
    assert "self-detr > dab-detr" in done.stdout
    assert "diversity/decoder_2 > diversity/decoder_4" in done.stdout


def test_key_follows_the_features(runs, tmp_path, monkeypatch):
    job = make_job(runs, tmp_path, group="queries", variant="tadtr")
    key = job.key
    monkeypatch.setattr(runs.synthetic_features, "GENERATOR_VERSION", -1)
    assert make_job(runs, tmp_path, group="queries", variant="tadtr").key != key
    assert make_job(runs, tmp_path, group="queries", variant="deformable").key != key


def test_claims_name_variants(runs):
    for group in runs.GROUPS.values():
        for claim in group.claims:
            assert {claim.better, claim.worse} <= set(group.variants)
            assert claim.sides[0] != claim.sides[1]
