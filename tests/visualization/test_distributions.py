import numpy as np
import pytest
from matplotlib import image

from mmtad.datasets.statistics import Distributions
from mmtad.visualization.distributions import draw_distributions


def one(lengths, duration=100.0, instances=(1,)):
    lengths = np.array(lengths, float)
    return Distributions(lengths, lengths / duration, np.array(instances, int))


@pytest.mark.parametrize(
    "sets",
    [
        dict(train=one([1, 5, 60, 99], instances=[1, 3, 0]), val=one([2.5])),
        dict(train=one([0.01, 0.01]), val=one([], instances=[0, 0])),
        dict(all=one(np.geomspace(0.1, 9, 500), instances=range(600))),
    ],
)
def test_pictures(tmp_path, sets):
    figure = draw_distributions(sets, "title")
    legends = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(legends) == sum(len(one.lengths) > 0 for one in sets.values())
    for axis in figure.axes:
        assert axis.get_xlabel() and axis.get_ylabel()
    figure.savefig(tmp_path / "x.png", dpi=40)
    assert image.imread(tmp_path / "x.png")[..., :3].std() > 0.01


def test_each_set_adds_up_to_one():
    figure = draw_distributions(dict(train=one([1, 1, 9, 99], instances=[1, 2, 9])))
    for axis in figure.axes:
        bars = [patch for patch in axis.patches if hasattr(patch, "get_height")]
        assert sum(bar.get_height() for bar in bars) == pytest.approx(1)


def test_small_shares_get_a_logarithmic_axis():
    assert draw_distributions(dict(a=one([1, 2])), "").axes[1].get_xscale() == "log"
    assert draw_distributions(dict(a=one([50, 80])), "").axes[1].get_xscale() == "linear"


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no action to draw"):
        draw_distributions(dict(train=one([])))
