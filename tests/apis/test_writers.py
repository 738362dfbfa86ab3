import json

import pytest

from mmtad.apis.writers import format_srt, format_srt_time, save_results

RESULTS = {
    "a": [
        {"segment": [3661.2345, 3662.0], "label": "jump high", "score": 0.512},
        {"segment": [0.0004, 1.5], "label": "run\nfast", "score": 0.9},
        {"segment": [2.0, 2.0], "label": "blink", "score": 0.05},
    ],
    "b": [],
}


@pytest.mark.parametrize(
    "seconds,text",
    [
        (0, "00:00:00,000"),
        (1.0004, "00:00:01,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (7325.042, "02:02:05,042"),
        (360000.5, "100:00:00,500"),
        (-0.2, "00:00:00,000"),
    ],
)
def test_srt_time(seconds, text):
    assert format_srt_time(seconds) == text


def test_srt_has_one_caption_per_detection_ordered_by_start():
    assert format_srt(RESULTS["a"]) == (
        "1\n00:00:00,000 --> 00:00:01,500\nrun fast (0.90)\n"
        "\n2\n00:00:02,000 --> 00:00:02,001\nblink (0.05)\n"
        "\n3\n01:01:01,234 --> 01:01:02,000\njump high (0.51)\n"
    )
    assert format_srt([]) == ""


def test_json_keeps_all_and_captions_what_is_worth_reading(tmp_path):
    files = save_results(RESULTS, tmp_path / "new", durations={"a": 4000, "b": 10})
    names = ["predictions.json", "a.srt", "a.png", "b.srt", "b.png"]
    assert [file.name for file in files] == names and all(file.is_file() for file in files)
    content = json.loads(files[0].read_text())
    assert content["results"] == RESULTS
    assert set(content) == {"version", "results", "external_data"}
    assert "blink" not in files[1].read_text() and files[3].read_text() == ""


def test_min_score_holds_for_every_file(tmp_path):
    files = save_results(RESULTS, tmp_path, ["json", "srt"], min_score=0.6)
    assert json.loads(files[0].read_text())["results"] == {"a": [RESULTS["a"][1]], "b": []}
    assert files[1].read_text().count("-->") == 1


@pytest.mark.parametrize("formats", [["json", "mp4"], []])
def test_unknown_formats_are_refused(tmp_path, formats):
    with pytest.raises(ValueError, match="json, srt, png"):
        save_results(RESULTS, tmp_path, formats)
