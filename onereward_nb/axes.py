"""Axes in one style, on which the plots are drawn: colours, words, legend, and the picture that comes of them."""

import io
from contextlib import contextmanager
from math import ceil

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from .grids import GAP, INK, Picture

# The colours of Okabe and Ito, which colour-blind readers can tell apart; markers for who sees none
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]

STYLE = {
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#888888",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def styled_axes(title, grid_axis="both", projection=None, panels=None, size=(6.4, 4)):
    """Axes in our style, and a function (alt, series) that makes a `Picture` of them.

    panels: the titles of several axes side by side, which share their limits; then a list of axes is given.
    size: width and height in inches of 100 pixels.
    """
    with matplotlib.rc_context(STYLE):
        # Without pyplot nothing is left behind that a notebook would show a second time.
        figure = Figure(figsize=size, layout="constrained")
        titles = panels or [title]
        axes = figure.subplots(
            1, len(titles), sharex=True, sharey=True, squeeze=False, subplot_kw={"projection": projection}
        )[0]
        for one, name in zip(axes, titles, strict=True):
            one.grid(False)
            one.grid(True, axis=grid_axis)
            one.set_title(name or "", loc="left")
        if panels and title:
            figure.suptitle(title, x=0.01, ha="left", size=11)

        def finish(alt, series, **legend):
            if len(series) > len(COLOURS):
                raise ValueError(f"{len(series)} series cannot be told apart: show at most {len(COLOURS)}.")
            if len(series) > 1:
                by_label = dict(zip(*reversed(axes[-1].get_legend_handles_labels()), strict=True))
                _legend(figure, by_label, **legend)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png")
            return Picture(Image.open(buffer).convert("RGB"), alt)

        yield axes if panels else axes[0], finish


def _legend(figure, by_label, **style):
    """A legend under the axes, in as few rows as the figure's width allows, and as even ones."""
    for lines in range(1, len(by_label) + 1):
        columns = ceil(len(by_label) / lines)
        legend = figure.legend(by_label.values(), by_label, loc="outside lower left", ncols=columns, **style)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width - 2 * GAP:
            return
        legend.remove()


def note(axes, words, at, away, **style):
    """Small words beside a place: at, in the units of the axes; away from there, (right, up) in points."""
    axes.annotate(words, at, away, textcoords="offset points", size=9, **style)


def with_ends(value):
    """A value and its interval, (middle, low, high): of a number alone, three times the number."""
    return value if isinstance(value, (tuple, list)) else (value,) * 3


def in_words(kind, series, what, title):
    return f"{kind}: {title or what}. {', '.join(map(str, series))}."
