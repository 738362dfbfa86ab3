import numpy as np
import pytest

from mmtad.evaluation.diagnosis import diagnose
from mmtad.visualization import (
    draw_false_negatives,
    draw_false_positives,
    draw_missed_pairs,
    draw_sensitivity,
)
from mmtad.visualization.bin_bars import bin_ticks, check_results, describe_tiou

DRAWINGS = (draw_sensitivity, draw_false_positives, draw_false_negatives, draw_missed_pairs)
BINS = ("thumos14", ("ltp", "length=0,5,10,20,40,80,160,320", "num_instances=0,inf"))


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("count", [1, 6])
def test_legible_with_any_number_of_results(draw, count, diagnoses, assert_legible):
    assert_legible(draw(diagnoses(count), dpi=72))


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("bins", BINS)
def test_legible_with_any_bins(draw, bins, diagnoses, assert_legible):
    assert_legible(draw(diagnoses(3, bins, (0.3, 0.5, 0.7)), dpi=72))


@pytest.mark.parametrize("draw", DRAWINGS[:3])
def test_one_characteristic(draw, diagnoses, assert_legible):
    results = diagnoses(2, "ltp")
    assert_legible(draw(results))
    with pytest.raises(ValueError, match="pairs need bins of two or more characteristics"):
        draw_missed_pairs(results)


def test_bars_show_the_numbers(diagnoses):
    results = diagnoses(1)
    one = results["adatad.json"].characteristics[1]
    figure = draw_sensitivity(results)
    bars = figure.axes[2]
    np.testing.assert_allclose([p.get_height() for p in bars.patches], 100 * one.map_n)
    assert texts(bars) == [f"{100 * value:.1f}" for value in one.map_n]
    shares = figure.axes[3]
    np.testing.assert_allclose([p.get_height() for p in shares.patches], 100 * one.shares)
    heading = f"adatad.json · tIoU 0.50, {one.counts.sum()} annotated actions"
    assert figure._suptitle.get_text().endswith(heading)


def test_stacks_reach_the_top_and_gains_carry_signs(diagnoses):
    results = diagnoses(2)
    figure = draw_false_positives(results)
    first = next(iter(results.values())).false_positives
    bars = figure.axes[0].patches
    bands = len(first.counts)
    tops = [bar.get_y() + bar.get_height() for bar in bars[-bands:]]
    np.testing.assert_allclose(tops, 100 * ~np.isnan(first.shares[:, 0]))
    assert texts(figure.axes[1]) == [f"{100 * gain:+.1f}" for gain in first.impact]


def test_empty_bins_and_no_detections(detections, assert_legible):
    bins = ["length=0,0.001,1000", "num_instances=0,1,2,100,inf"]
    results = {"none": diagnose(detections[0], {"results": {}}, bins=bins)}
    for draw in DRAWINGS:
        figure = draw(results)
        assert_legible(figure)
        if draw is not draw_false_positives:
            assert "–" in texts(figure.axes[0])


def test_results_that_cannot_be_compared(diagnoses):
    two = diagnoses(2)
    names = list(two)
    with pytest.raises(ValueError, match="1 to 6 results, got 0"):
        check_results({})
    with pytest.raises(ValueError, match="1 to 6 results, got 7"):
        check_results({str(i): two[names[0]] for i in range(7)})
    for draw in DRAWINGS:
        with pytest.raises(ValueError, match="same ground truth, tIoU thresholds and bins"):
            draw({"a": two[names[0]], "b": diagnoses(1, "thumos14")[names[0]]})


def test_words(diagnoses):
    assert describe_tiou((0.5,)) == "tIoU 0.50"
    many = tuple(np.arange(0.5, 1, 0.05))
    assert describe_tiou(many) == "mean over 10 tIoU thresholds from 0.50 to 0.95"
    coverage, length, instances = next(iter(diagnoses(1).values())).characteristics
    assert bin_ticks(coverage.bins)[1] == "S\n20–40"
    assert bin_ticks(length.bins)[-1] == "XL\n>180"
    assert bin_ticks(instances.bins)[1] == "S\n2–4"
