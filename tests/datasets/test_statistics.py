import numpy as np
import pytest

from mmtad.datasets import FeatureDataset, TADDataset
from mmtad.datasets.annotations import VideoRecord
from mmtad.datasets.statistics import (
    class_counts,
    distributions,
    lengths_in_steps,
    shown_per_epoch,
    visible_shares,
)

SEGMENTS = [(1.0, 3.0, "a"), (4.0, 4.0, "b"), (10.0, 20.0, "a"), (30.0, 31.0, "b")]
RECORD = VideoRecord("v", "train", 40.0, 25.0, 1000, segments=SEGMENTS)
EMPTY = VideoRecord("w", "train", 10.0, 25.0, 250)


@pytest.fixture
def build(tmp_path):
    """Data set of one video of 40 s with a feature per second."""
    np.save(tmp_path / "v.npy", np.zeros((40, 2), np.float32))
    annotations = [dict(segment=[a, b], label=label) for a, b, label in SEGMENTS if a < b]
    database = dict(v=dict(duration=40.0, fps=25.0, annotations=annotations))

    def build(**kwargs):
        options = dict(database=database, features=str(tmp_path / "{video_id}.npy"))
        lengths = dict(feature_stride=25, clip_frames=25, window_size=4, crop_ratio=None)
        return FeatureDataset(**{**options, **lengths, **kwargs}, serialize_data=False)

    return build


def test_distributions():
    found = distributions([RECORD, EMPTY])
    assert found.lengths.tolist() == [2, 10, 1] and found.instances.tolist() == [3, 0]
    assert found.coverage.tolist() == [2 / 40, 10 / 40, 1 / 40]
    nothing = distributions([])
    assert len(nothing.lengths) == len(nothing.coverage) == len(nothing.instances) == 0


def test_class_counts():
    assert class_counts([RECORD, EMPTY], ["b", "a", "c"]) == dict(b=2, a=2, c=0)


def test_lengths_in_steps(build):
    assert lengths_in_steps(build(), [RECORD]).tolist() == [2, 10, 1]
    assert lengths_in_steps(build(step_stride=2), [RECORD]).tolist() == [1, 5, 0.5]
    resized = build(sampling="resize", window_size=80)
    assert lengths_in_steps(resized, [RECORD]).tolist() == [4, 20, 2]
    assert lengths_in_steps(build(), [VideoRecord("v", None, 9.0, None, None)]).tolist() == []


def test_largest_share_that_a_window_shows(build):
    # A window of 4 steps of a second sees half a second more at either end.
    np.testing.assert_allclose(visible_shares(build(), [RECORD]), [1, 0.5, 1])
    np.testing.assert_allclose(visible_shares(build(sampling="whole"), [RECORD]), [1, 0.5, 1])
    for options in [dict(sampling="whole", window_size=0), dict(sampling="resize")]:
        assert visible_shares(build(**options), [RECORD]).tolist() == [1, 1, 1]
    sliding = build(sampling="sliding", window_overlap=0, min_visible=0.9)
    # windows at 0, 4, 8, ...; those without 90 % of an action are not trained on
    np.testing.assert_allclose(visible_shares(sliding, [RECORD]), [1, 0, 1])
    sliding = build(sampling="sliding", window_overlap=0, drop_empty=False)
    np.testing.assert_allclose(visible_shares(sliding, [RECORD]), [1, 0.5, 1])


def test_frames_make_steps(videos, database):
    dataset = TADDataset(
        database=database,
        data_prefix=dict(video=str(videos)),
        window_size=16,
        frames_per_step=4,
        sampling="sliding",
        drop_empty=False,
        serialize_data=False,
    )
    record = VideoRecord("v1", "train", 2.0, 25.0, 50, segments=[(0.4, 0.8, "a"), (1.0, 1.8, "b")])
    assert dataset.step_seconds(record) == pytest.approx(0.16)
    assert dataset.window_seconds(record) == pytest.approx(0.64)
    np.testing.assert_allclose(
        visible_shares(dataset, [EMPTY, record])[:2], [1, 0.75]
    )  # best from frame 24 on


def test_share_of_the_actions_that_an_epoch_shows(build):
    everything = build(window_size=40)
    assert shown_per_epoch(everything, [RECORD]) == 1
    none = build(min_visible=1.0, window_size=4)
    some = shown_per_epoch(none, [RECORD], draws=400)
    # a draw shows at least one; the long one never, both others never together
    assert some == pytest.approx(1 / 3, abs=0.01)
    assert shown_per_epoch(build(), []) == 0
