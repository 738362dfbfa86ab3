"""One look per action class: colours that colour-blind readers tell apart, then hatches."""

from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import fill

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Patch

# Okabe and Ito's palette without black, the colours that differ most first.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")


@dataclass(frozen=True)
class ClassStyle:
    """How the segments of one class are filled."""

    color: str
    hatch: str = ""

    @property
    def edge(self) -> tuple[float, float, float]:
        """The colour, darkened: outlines stay visible where the fill is nearly transparent."""
        red, green, blue = to_rgb(self.color)
        return 0.65 * red, 0.65 * green, 0.65 * blue

    def patch_options(self, alpha: float) -> dict:
        """Keyword arguments of a matplotlib patch.

        Args:
            alpha: Opacity of the fill, 0 to 1; the outline is always opaque.
        """
        return {
            "facecolor": (*to_rgb(self.color), alpha),
            "edgecolor": self.edge,
            "hatch": self.hatch or None,
            "linewidth": 0.7,
        }

    def text_options(self, alpha: float) -> dict:
        """Keyword arguments that keep a text on the patch readable.

        Args:
            alpha: Opacity of the patch's fill, 0 to 1, on white.
        """
        if self.hatch:
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
            return {"color": "black", "bbox": box}
        red, green, blue = (1 - alpha * (1 - channel) for channel in to_rgb(self.color))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        return {"color": "white" if dark else "black"}


def class_styles(labels: Iterable[str]) -> dict[str, ClassStyle]:
    """Give every class its own style: 7 colours x 5 hatches, repeated beyond 35 classes.

    Args:
        labels: Class names; duplicates do no harm.

    Returns:
        Style per class name, in alphabetical order.
    """
    return {
        label: ClassStyle(COLORS[index % len(COLORS)], HATCHES[index // len(COLORS) % len(HATCHES)])
        for index, label in enumerate(sorted(set(labels)))
    }


def add_legend(figure: Figure, styles: dict[str, ClassStyle], title: str) -> tuple[Legend, float]:
    """Put the classes below everything else, in as many columns as the figure's width allows.

    Args:
        figure: Its width is final, its height may still change.
        styles: Style per class name, not empty.
        title: Line above the classes.

    Returns:
        The legend and its height in inches.
    """
    names = [fill(name, width=60) for name in styles]
    handles = [Patch(**style.patch_options(1.0)) for style in styles.values()]
    renderer = figure.canvas.get_renderer()
    limit = (figure.get_figwidth() - 0.3) * figure.dpi
    for columns in range(min(len(names), 10), 0, -1):
        # Set afterwards, because matplotlib drops handles whose label starts with an underscore.
        legend = figure.legend(
            handles,
            ["x"] * len(names),
            ncols=columns,
            loc="lower center",
            title=title,
            fontsize=8,
            title_fontsize=8,
            frameon=False,
            handlelength=1.6,
            columnspacing=1.4,
        )
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_parse_math(False)
            text.set_text(name)
        box = legend.get_window_extent(renderer)
        if box.width <= limit or columns == 1:
            return legend, box.height / figure.dpi
        legend.remove()
    raise AssertionError("the loop returns at one column")
