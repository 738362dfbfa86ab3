from math import inf, nan

import numpy as np
import pytest

from mmtad.evaluation.diagnosis_bins import BIN_PRESETS, Bins, resolve_bins


def test_upper_edges_belong_to_a_bin_as_in_detad():
    bins = Bins("length", (0, 30, 60, 120, 180, inf))
    assert bins.names == ("XS", "S", "M", "L", "XL")
    values = np.array([0.0, 1e-9, 30, 30.001, 60, 120.5, 180, 180.1, 1e9])
    assert bins.assign(values).tolist() == [0, 0, 0, 1, 1, 3, 3, 4, 4]
    assert bins.intervals() == ["(0, 30]", "(30, 60]", "(60, 120]", "(120, 180]", "(180, ∞)"]
    assert bins.ranges() == ["0–30", "30–60", "60–120", "120–180", ">180"]


def test_the_scales_of_ltp_begin_at_their_lower_edge():
    (bins,) = BIN_PRESETS["ltp"]
    values = np.array([0.01, 0.2499, 0.25, 0.5, 0.7499, 0.75, 1.0])
    names = [bins.names[i] for i in bins.assign(values)]
    assert names == ["XS", "XS", "S", "L", "L", "XL", "XL"]
    assert bins.intervals() == ["[0, 0.25)", "[0.25, 0.5)", "[0.5, 0.75)", "[0.75, 1]"]


def test_presets_are_those_of_detad():
    coverage, length, instances = BIN_PRESETS["activitynet"]
    assert coverage.assign(np.array([0.2, 0.21, 0.8, 1.0])).tolist() == [0, 1, 3, 4]
    assert length.edges == (0, 30, 60, 120, 180, inf)
    assert instances.names == ("XS", "S", "M", "L")
    assert instances.assign(np.array([1.0, 2, 4, 5, 8, 9])).tolist() == [0, 1, 1, 2, 2, 3]
    assert instances.ranges() == ["1", "2–4", "5–8", ">8"]
    coverage, length, instances = BIN_PRESETS["thumos14"]
    assert coverage.edges == (0, 0.02, 0.04, 0.06, 0.08, 1)
    assert length.edges == (0, 3, 6, 12, 18, inf)
    assert instances.edges == (0, 1, 40, 80, inf)


def test_later_choices_replace_earlier_ones():
    chosen = resolve_bins(["activitynet", "length=0,5,inf"])
    assert [one.characteristic for one in chosen] == ["coverage", "length", "num_instances"]
    assert chosen[1] == Bins("length", (0, 5, inf), ("S", "L"))
    own = Bins("coverage", (0, 0.5, 1), ("small", "large"), "left")
    assert resolve_bins(own) == (own,) and resolve_bins("ltp") == BIN_PRESETS["ltp"]
    assert resolve_bins("length=0,1,2,3,4,5,6")[0].names == ("1", "2", "3", "4", "5", "6")


@pytest.mark.parametrize(
    "arguments,message",
    [
        (("size", (0, 1)), "no characteristic 'size'; choose one of coverage, length"),
        (("length", (0,)), r"two or more increasing edges, got \[0\]"),
        (("length", (0, 5, 5)), "increasing edges"),
        (("length", (0, nan, 5)), "increasing edges"),
        (("length", (0, 5, 9), ("a", "a")), "the 2 bins of length need as many different names"),
        (("length", (0, 5, 9), ("a",)), "as many different names"),
        (("length", (0, 5), (), "both"), "closed to the 'left' or 'right', got 'both'"),
    ],
)
def test_bad_bins(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bins(*arguments)


@pytest.mark.parametrize(
    "choice,message",
    [
        ([], "choose bins: one of activitynet, thumos14, ltp"),
        ("thumos", "bins 'thumos' are not understood; choose activitynet"),
        ("length=", "not understood"),
        ("length=0,ten", "the edges in 'length=0,ten' are not numbers"),
        (["ltp", "size=0,1"], "'size=0,1' are not understood"),
    ],
)
def test_bad_choices(choice, message):
    with pytest.raises(ValueError, match=message):
        resolve_bins(choice)


@pytest.mark.parametrize("value", [0.5, 9.5, nan])
def test_an_action_in_no_bin_is_refused(value):
    bins = Bins("length", (1, 5, 9))
    with pytest.raises(
        ValueError, match=r"1 of 2 actions lie in no bin of length \(one has .*1 to 9"
    ):
        bins.assign(np.array([2.0, value]))
