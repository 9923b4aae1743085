"""Pareto fronts: what is worth its cost."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from .axes import COLOURS, MARKERS, in_words, styled_axes


def unbeaten(points):
    """The points (cost, value) that no other beats, by rising cost and value."""
    best = []
    for cost, value in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not best or value > best[-1][1]:
            best.append((cost, value))
    return best


def front(panels, x, y, title=None, alt=None):
    """What is worth its cost: points in panels side by side, and the Pareto front of each panel.

    Args:
        panels: {panel: {label: [(cost, value), ...]}}, costs above 0. On the front is a point that no other beats:
            none costs at most as much and is at least as good, and better in one of the two.
        x, y: labels of the axes, with units; x, the cost, is drawn on a logarithmic axis.
        title, alt: as for `plots.curves`.

    Returns:
        A `Picture`, 800 pixels wide where there are several panels.
    """
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    size = (8, 3.4) if len(panels) > 1 else (6.4, 4)
    with styled_axes(title, panels=list(panels), size=size) as (axes, finish):
        for one, series in zip(axes, panels.values(), strict=True):
            for label, colour, marker in zip(labels, COLOURS, MARKERS, strict=False):
                if label in series:
                    one.plot(*zip(*series[label], strict=True), marker, ms=5, color=colour, label=label)
            best = unbeaten([point for points in series.values() for point in points])
            one.step(*zip(*best, strict=True), where="post", color="#888888", lw=1, zorder=1)
            one.set(xlabel=x, xscale="log")
            one.xaxis.set_major_locator(FixedLocator(_doubling(series)))
            one.xaxis.set_major_formatter("{x:g}")
            one.xaxis.set_minor_locator(NullLocator())
        axes[0].set(ylabel=y)
        what = f"{title or f'{y} over {x}'}: {', '.join(panels)}"
        return finish(alt or in_words("Pareto fronts", labels, what, None), labels)


def _doubling(series):
    """Ticks for costs: from the lowest of them, each twice the one before."""
    costs = [cost for points in series.values() for cost, _ in points]
    return min(costs) * 2.0 ** np.arange(1 + int(np.log2(max(costs) / min(costs))))
