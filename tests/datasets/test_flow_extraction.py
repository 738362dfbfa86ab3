import multiprocessing
import os
import shutil

import numpy as np
import pytest

from mmtad.datasets import flow_extraction
from mmtad.datasets.flow_extraction import make_flow, plan_jobs, run_jobs
from mmtad.datasets.flow_files import FlowFile, FlowReadError, find_flow
from mmtad.datasets.optical_flow import FlowSpec, open_flow

SPEC = FlowSpec(size=32)


@pytest.fixture
def named(videos, tmp_path):
    """v0 to v2, and a file that is no video."""
    files = {name: videos / f"{name}.mp4" for name in ("v0", "v1", "v2")}
    (tmp_path / "bad.mp4").write_bytes(b"hello " * 99)
    return files | {"bad": tmp_path / "bad.mp4"}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_video_but_the_unreadable(named, workers, tmp_path):
    out = tmp_path / "flow"
    outcomes = {o.video_id: o for o in run_jobs(plan_jobs(named, out, SPEC), workers)}
    assert set(outcomes) == set(named)
    assert "bad.mp4 is not a readable video" in outcomes["bad"].error
    assert sorted(p.name for p in out.iterdir()) == ["v0.npz", "v1.npz", "v2.npz"]
    assert [outcomes[f"v{i}"].fields for i in range(3)] == [15, 19, 23]  # 25 to 10 per second
    assert outcomes["v1"].size == (out / "v1.npz").stat().st_size
    flow = FlowFile(out / "v2.npz")
    assert flow.info.video_frames == 60 and flow.info.video_fps == 25
    every = np.concatenate(list(open_flow(str(named["v2"]), SPEC).chunks()))
    assert np.array_equal(flow.read(np.arange(23)), every)


def test_only_what_is_missing_is_made(named, tmp_path):
    del named["bad"]
    first = dict(list(named.items())[:2])
    assert all(o.error is None for o in run_jobs(plan_jobs(first, tmp_path, SPEC), 1))
    (job,) = plan_jobs(named, tmp_path, SPEC)
    assert job.video_id == "v2"
    assert len(plan_jobs(named, tmp_path, SPEC, force=True)) == 3
    make_flow(job)
    assert plan_jobs(named, tmp_path, SPEC) == []
    # Damage is made again; flow of another kind is not mixed in.
    path = tmp_path / "v0.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert [job.video_id for job in plan_jobs(named, tmp_path, SPEC)] == ["v0"]
    path.unlink()
    with pytest.raises(
        ValueError, match=r"v1.npz was made with another size \(\(32, 32\), here \(24"
    ):
        plan_jobs(named, tmp_path, FlowSpec(size=24))


def test_a_stop_in_the_middle_leaves_nothing_half(named, tmp_path, monkeypatch):
    real = flow_extraction.write_flow

    def stops(folder, name, layout, info, chunks):
        def half():
            yield next(iter(chunks))[:3]
            raise KeyboardInterrupt

        return real(folder, name, layout, info, chunks if name == "v0" else half())

    monkeypatch.setattr(flow_extraction, "write_flow", stops)
    jobs = plan_jobs({name: named[name] for name in ("v0", "v1")}, tmp_path / "out", SPEC, "jpg")
    with pytest.raises(KeyboardInterrupt):
        list(run_jobs(jobs, 1))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["v0"]
    monkeypatch.undo()
    (job,) = plan_jobs({name: named[name] for name in ("v0", "v1")}, tmp_path / "out", SPEC, "jpg")
    assert make_flow(job).fields == 19 and len(FlowFile(tmp_path / "out/v1").frames) == 19


def test_another_layout_takes_the_place_of_the_first(named, tmp_path):
    videos = {"v0": named["v0"]}
    for layout, name in (("npz", "v0.npz"), ("png", "v0"), ("npz", "v0.npz")):
        (job,) = plan_jobs(videos, tmp_path / "out", SPEC, layout, force=True)
        assert make_flow(job).error is None
        assert [p.name for p in (tmp_path / "out").iterdir()] == [name]


def test_damage_in_the_middle_of_a_video(shared, tmp_path):
    path = shared / "data/videos/decord/corrupted.mp4"
    (job,) = plan_jobs({"c": path}, tmp_path, SPEC)
    assert "corrupted.mp4 cannot be decoded" in make_flow(job).error
    assert find_flow(tmp_path, ["c"]) is None and not list(tmp_path.iterdir())


def test_a_description_of_another_video(named, tmp_path):
    (job,) = plan_jobs({"v0": named["v0"]}, tmp_path, SPEC, "png")
    make_flow(job)
    shutil.move(tmp_path / "v0", tmp_path / "v1")
    text = (tmp_path / "v1/flow.json").read_text()
    (tmp_path / "v1/flow.json").write_text(text.replace('"count": 15', '"count": 14'))
    with pytest.raises(FlowReadError, match="tells of 14 flow fields"):
        FlowFile(tmp_path / "v1")
    assert len(plan_jobs({"v1": named["v1"]}, tmp_path, SPEC)) == 1


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="needs forked processes")
def test_a_process_that_is_ended(named, tmp_path, monkeypatch):
    monkeypatch.setattr(flow_extraction, "open_flow", lambda *args: os._exit(1))
    with pytest.raises(OSError, match="was ended from outside, .* with fewer --workers"):
        list(run_jobs(plan_jobs(named, tmp_path / "out", SPEC), 2))


def test_folders_of_something_else_are_left_alone(named, tmp_path):
    (tmp_path / "v0").mkdir()
    (tmp_path / "v0/frame.jpg").write_bytes(b"mine")
    with pytest.raises(ValueError, match="v0 is a folder, but of no flow that was made here"):
        plan_jobs(named, tmp_path, SPEC, "jpg", force=True)
    assert (tmp_path / "v0/frame.jpg").exists()
