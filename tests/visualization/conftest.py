from itertools import combinations

import numpy as np
import pytest

from mmtad.evaluation.diagnosis import diagnose

NAMES = (
    "adatad.json",
    "a_rather_long_name-of_a_result_file_with_$mathematics$_and_settings_iou0.5_epoch60.json",
    "third result",
    "4",
    "five.json",
    "the sixth <b>result</b>.json",
)


@pytest.fixture(scope="session")
def detections():
    """Annotation and six results; actions in most bins of ActivityNet."""
    rng = np.random.default_rng(0)
    database = {}
    results = {name: {} for name in NAMES}
    for video in map(str, range(30)):
        duration = float(rng.uniform(60, 300))
        actions = []
        for label in rng.choice(["run", "jump", "swim"], rng.integers(1, 10)):
            length = duration * float(rng.uniform(0.05, 0.95))
            start = float(rng.uniform(0, duration - length))
            actions.append({"segment": [start, start + length], "label": str(label)})
        database[video] = {"duration": duration, "annotations": actions}
        for name in NAMES:
            found = results[name].setdefault(video, [])
            for action in actions * 2:
                start, end = action["segment"]
                shift = rng.normal(0, (end - start) / 6, 2)
                segment = sorted([start + float(shift[0]), end + float(shift[1])])
                label = action["label"] if rng.random() < 0.8 else "swim"
                found.append({"segment": segment, "label": label, "score": float(rng.random())})
    return {"database": database}, {name: {"results": found} for name, found in results.items()}


@pytest.fixture(scope="session")
def diagnoses(detections):
    """Diagnoses of the first results: ``diagnoses(2, bins="activitynet", tiou=0.5)``."""
    truth, results = detections

    def make(count, bins="activitynet", tiou=0.5):
        return {name: diagnose(truth, results[name], tiou, bins=bins) for name in NAMES[:count]}

    return make


@pytest.fixture(scope="session")
def assert_legible():
    """No text leaves the picture, and no two texts of what may not overlap do."""

    def check(figure, smallest=6.0):
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        width, height = figure.canvas.get_width_height()
        apart = [figure._suptitle, *figure.legends] if figure._suptitle else [*figure.legends]
        apart += [axes.xaxis.label for axes in figure.axes]
        for axes in figure.axes:
            apart += [axes.title, axes._left_title, axes.yaxis.label, *axes.get_yticklabels()]
            low, high = sorted(axes.get_xlim())
            ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
            apart += [label for place, label in ticks if low <= place <= high]
        boxes = []
        for artist in apart:
            text = artist.get_text() if hasattr(artist, "get_text") else "legend"
            if text and artist.get_visible():
                boxes.append(artist.get_window_extent(renderer))
        for axes in figure.axes:
            for text in axes.texts:
                assert text.get_fontsize() >= smallest
                box = text.get_window_extent(renderer)
                assert -1 <= box.x0 and box.x1 <= width + 1 and -1 <= box.y0 <= box.y1 <= height + 1
        for box in boxes:
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        for a, b in combinations(boxes, 2):
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            upward = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert across <= 1 or upward <= 1, (a, b)

    return check
