import json

import numpy as np
import pytest

from mmtad.apis.conversion import (
    conversion_parser,
    finish,
    read_sources,
    run_conversion,
    video_probe,
)
from mmtad.datasets.benchmarks import ACTIVITYNET, Counts


@pytest.fixture
def bmn(tmp_path):
    """A file without subsets."""
    video = {
        "duration_second": 9.0,
        "duration_frame": 90,
        "annotations": [{"segment": [1.0, 2.0], "label": "Archery"}],
    }
    path = tmp_path / "bmn.json"
    path.write_text(json.dumps({"v_QOlSCBRmfWY": video}))
    return path


def test_subset_in_front_of_a_path(bmn, tmp_path):
    for name, subset in [
        ("validation", "validation"),
        ("val", "validation"),
        ("train", "training"),
    ]:
        args = conversion_parser("", "").parse_args([f"{name}={bmn}"])
        converted = run_conversion(ACTIVITYNET, args)
        assert converted.counts == {subset: Counts(1, 1, 1)}
    odd = tmp_path / "a=b.json"  # not every = is ours
    odd.write_text(bmn.read_text())
    assert read_sources([str(odd)], ACTIVITYNET)[0].path == odd


def test_other_counts_are_written_only_if_allowed(bmn, tmp_path, capsys):
    args = conversion_parser("", "").parse_args([f"train={bmn}"])
    converted = run_conversion(ACTIVITYNET, args)
    out = tmp_path / "out.json"
    with pytest.raises(ValueError, match="the counts of ActivityNet-1.3 training differ from the"):
        finish([(converted, out)])
    assert not out.exists()
    finish([(converted, out)], allow_other_counts=True)
    printed = capsys.readouterr().out
    assert "read bmn.json (BMN JSON)" in printed and "DIFFERS" in printed
    assert "not in these files: validation, testing" in printed
    assert f"wrote {out}: 1 videos, 1 classes" in printed
    assert list(json.loads(out.read_text())["database"]) == ["QOlSCBRmfWY"]


def test_videos_tell_their_duration(tmp_path):
    from mmtad.datasets.synthetic import write_video

    frames = np.zeros((20, 64, 64, 3), np.uint8)
    write_video(tmp_path / "v_a.mp4", frames, 64, 10)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    probe = video_probe(tmp_path)
    assert probe("a") == probe("v_a") == (10.0, 20)
    with pytest.raises(
        FileNotFoundError, match="duration of video 'b', and .* has no video of that"
    ):
        probe("b")
    with pytest.raises(
        OSError, match="the duration of video 'broken', and .*broken.mp4.*--video-in"
    ):
        probe("broken")
    with pytest.raises(FileNotFoundError, match="nowhere does not exist; check --videos"):
        video_probe(tmp_path / "nowhere")
