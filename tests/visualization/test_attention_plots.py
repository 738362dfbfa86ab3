import numpy as np
import pytest

from mmtad.visualization.attention_plots import draw_attention_maps, draw_diversity

LONG = "self-detr_with_$mathematics$_and_many_settings_i3d_128x4_120e_thumos14_epoch_120.pth"
LAYERS = {"encoder": [1.5, 0.7], "decoder": [1.2, 0.9, 0.6, 0.3], "cross": [1.0, 1.2, 1.3, 1.4]}


def softmax(rows, columns, seed=0):
    x = np.exp(np.random.default_rng(seed).normal(size=(rows, columns)) * 2)
    return x / x.sum(1, keepdims=True)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_diversity_is_legible_and_shows_the_numbers(count, assert_legible):
    names = [LONG, *"abcde"][:count]
    results = {
        name: {k: [(i + 1) * x for x in v] for k, v in LAYERS.items()}
        for i, name in enumerate(names)
    }
    figure = draw_diversity(results, results)
    assert_legible(figure)
    panels = figure.axes
    titles = ["Encoder self-attention", "Decoder self-attention", "Decoder cross-attention"]
    assert [axes.get_title() for axes in panels] == titles
    for axes, values in zip(panels, LAYERS.values(), strict=True):
        assert len(axes.lines) == count
        np.testing.assert_allclose(axes.lines[0].get_ydata(), values)
        np.testing.assert_allclose(axes.lines[0].get_xdata(), np.arange(len(values)) + 1)
        assert axes.get_ylim()[0] == 0
    assert "median" in panels[0].get_ylabel()


def test_models_of_different_depth_and_kind(assert_legible):
    results = {"a": {"decoder": [1.0]}, "b": {"encoder": [0.0, 0.0], "decoder": [0.5, 0.4, 0.3]}}
    figure = draw_diversity(results, {"a": {"decoder": [0.1]}}, centre="mean")
    assert_legible(figure)
    assert [len(axes.lines[0].get_ydata()) for axes in figure.axes] == [0, 1]
    single = draw_diversity({"a": {"decoder": [1.0]}})
    assert_legible(single)


@pytest.mark.parametrize(
    "kind,shape", [("encoder", (20, 20)), ("decoder", (8, 8)), ("cross", (8, 20))]
)
@pytest.mark.parametrize("seconds", [None, 0.5])
def test_maps_are_legible_and_share_a_scale(kind, shape, seconds, assert_legible):
    maps = {LONG: [softmax(*shape, seed) for seed in range(4)], "b": [softmax(*shape, 9)] * 2}
    figure = draw_attention_maps(maps, kind, "window 3 of a", seconds)
    assert_legible(figure)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 6
    assert len({image.norm.vmax for image in images}) == 1
    np.testing.assert_allclose(images[0].get_array(), maps[LONG][0])
    steps = shape[1] * (seconds if seconds and kind != "decoder" else 1)
    assert images[0].get_extent()[1] == steps
    titled = [axes.get_title() for axes in figure.axes[:4]]
    assert titled == ["layer 1", "layer 2", "layer 3", "layer 4"]
    unit = " (s)" if seconds and kind != "decoder" else ""
    assert figure._supxlabel.get_text().endswith(f"looked at{unit}")


def test_a_single_map(assert_legible):
    figure = draw_attention_maps({LONG: [softmax(5, 5)]}, "decoder")
    assert_legible(figure)
    assert figure.axes[0].get_ylabel() == "query that looks"


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="kind is one of encoder, decoder, cross, got 'self'"):
        draw_attention_maps({"a": [softmax(2, 2)]}, "self")
    with pytest.raises(ValueError, match="none of the models has maps of decoder self-attention"):
        draw_attention_maps({"a": []}, "decoder")
    with pytest.raises(ValueError, match="compares 1 to 6 models, got 7"):
        draw_diversity({str(i): LAYERS for i in range(7)})
    with pytest.raises(ValueError, match="none of the models has attention layers"):
        draw_diversity({"a": {}})
