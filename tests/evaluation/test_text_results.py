import gzip

import pytest

from mmtad.evaluation import read_text_results

NAMES = {7: "BaseballPitch", 9: "BasketballDunk"}


@pytest.fixture
def write(tmp_path):
    def write(text, name="found.txt"):
        path = tmp_path / name
        opened = gzip.open(path, "wt") if name.endswith(".gz") else path.open("w")
        with opened as file:
            file.write(text)
        return path

    return write


@pytest.mark.parametrize("name", ["found.txt", "found.txt.gz"])
def test_detections(write, name):
    path = write("a 0.5 1.5 7 0.25\n\nb\t2 3 9 1e-3\na 4 4 9 0\n", name)
    assert read_text_results(path, NAMES) == {
        "a": [
            {"segment": [0.5, 1.5], "label": "BaseballPitch", "score": 0.25},
            {"segment": [4.0, 4.0], "label": "BasketballDunk", "score": 0.0},
        ],
        "b": [{"segment": [2.0, 3.0], "label": "BasketballDunk", "score": 0.001}],
    }


def test_proposals_in_frames_without_scores(write):
    path = write("a 30 60\na 0 15\nb 50 100\n")
    assert read_text_results(path, fps={"a": 30, "b": 25}) == {
        "a": [{"segment": [1.0, 2.0], "score": 1.0}, {"segment": [0.0, 0.5], "score": 0.5}],
        "b": [{"segment": [2.0, 4.0], "score": 1.0}],
    }
    assert read_text_results(path, fps=10)["b"][0]["segment"] == pytest.approx([5, 10])
    assert read_text_results(write("a 1 2 0.75")) == {"a": [{"segment": [1, 2], "score": 0.75}]}


def test_reversed_segments(write):
    path = write("a 5 2 7 0.5\n")
    for how, segment in (("swap", [2, 5]), ("empty", [5, 5])):
        assert read_text_results(path, NAMES, reversed_segments=how)["a"][0]["segment"] == segment
    assert read_text_results(path, NAMES, reversed_segments="drop") == {"a": []}


@pytest.mark.parametrize(
    "line, names, message",
    [
        ("a 5 2 7 0.5", NAMES, r"found.txt, line 1 has the reversed segment \[5.0, 2.0\]; choose"),
        ("a 1 2 0.5", NAMES, "line 1 is 'a 1 2 0.5'; expected video start end class_id score"),
        ("a 1 2 7 0.5", None, "expected video start end, or .*; for detections give the names"),
        ("a 1 x 7 0.5", NAMES, "line 1 has the time 'x'; expected a finite number"),
        ("a 1 nan 7 0.5", NAMES, "line 1 has the time 'nan'"),
        ("a 1 2 7 inf", NAMES, "line 1 has the score 'inf'"),
        ("a 1 2 8 0.5", NAMES, r"the class id '8', which is not among the 2 known ones \(7, 9"),
        ("a 1 2 run 0.5", NAMES, "the class id 'run'"),
    ],
)
def test_bad_lines(write, line, names, message):
    with pytest.raises(ValueError, match=message):
        read_text_results(write(line), names)


def test_bad_arguments(write):
    path = write("a 1 2 7 0.5")
    with pytest.raises(ValueError, match="the frame rate of video 'a' is not known"):
        read_text_results(path, NAMES, fps={"b": 30})
    with pytest.raises(ValueError, match="the frame rate of video 'a' is 0"):
        read_text_results(path, NAMES, fps=0)
    with pytest.raises(ValueError, match="reversed_segments must be one of error, swap"):
        read_text_results(path, NAMES, reversed_segments="guess")
    with pytest.raises(FileNotFoundError, match="none.txt does not exist"):
        read_text_results("none.txt")
    with pytest.raises(FileNotFoundError, match="is a folder, not a file"):
        read_text_results(path.parent)
    with pytest.raises(ValueError, match="empty.txt has no line with a detection"):
        read_text_results(write("\n", "empty.txt"))
    broken = path.with_suffix(".gz")
    broken.write_bytes(b"not compressed")
    with pytest.raises(ValueError, match="is not a text file"):
        read_text_results(broken)
