"""Pictures and plots in one style, from grids and curves to radar charts and Pareto fronts.

Each function returns a `Picture`, which a notebook shows when it is the last value of a cell. What is stored
there is one small PNG of at most 256 colours, with alternative text.
"""

import numpy as np

from .axes import COLOURS, MARKERS, in_words, note, styled_axes, with_ends
from .grids import FRAME, INK, Picture, grid
from .pareto import front, unbeaten

__all__ = [
    "COLOURS",
    "Picture",
    "bars",
    "curves",
    "front",
    "grid",
    "outcomes",
    "radar",
    "rows",
    "scatter",
    "stacked",
    "unbeaten",
]


def curves(series, x, y, title=None, alt=None):
    """Lines with markers, and a band where an interval is given.

    Args:
        series: {label: (xs, ys)} or {label: (xs, ys, lows, highs)}.
        x, y: labels of the axes, with units.
        title: what the plot shows.
        alt: alternative text; by default made of title and labels.

    Returns:
        A `Picture`.
    """
    with styled_axes(title) as (axes, finish):
        for (label, (xs, ys, *band)), colour, marker in zip(series.items(), COLOURS, MARKERS, strict=False):
            axes.plot(xs, ys, color=colour, marker=marker, label=label)
            if band:
                axes.fill_between(xs, *band, color=colour, alpha=0.15, linewidth=0)
        axes.set(xlabel=x, ylabel=y)
        return finish(alt or in_words("Curves", series, f"{y} over {x}", title), series)


def bars(series, y, title=None, digits=2, alt=None):
    """Groups of bars with their values above them, and intervals where given.

    Args:
        series: {label: {group: value}} or {label: {group: (value, low, high)}}.
        y: label of the axis, with its unit.
        digits: how many stand after the point of each value.
        title, alt: as for `curves`.

    Returns:
        A `Picture`.
    """
    groups = list(dict.fromkeys(group for values in series.values() for group in values))
    width = 0.8 / len(series)
    room = 8 if len(groups) * len(series) > 12 else 6.4  # for the values of many bars
    with styled_axes(title, grid_axis="y", size=(room, 4)) as (axes, finish):
        for i, ((label, values), colour) in enumerate(zip(series.items(), COLOURS, strict=False)):
            for group, value in values.items():
                middle, low, high = with_ends(value)
                at = groups.index(group) + (i - (len(series) - 1) / 2) * width
                axes.bar(at, middle, width * 0.92, color=colour, label=label)
                if low != high:
                    axes.errorbar(at, middle, [[middle - low], [high - middle]], color=INK, capsize=3, lw=1.2)
                note(axes, f"{middle:.{digits}f}", (at, high), (0, 3), ha="center")
        axes.set_xticks(range(len(groups)), groups)
        axes.set(ylabel=y)
        return finish(alt or in_words("Bars", series, f"{y} for {', '.join(groups)}", title), series)


def rows(series, x, title=None, alt=None):
    """A row for each name, with a marker for each value and its interval where given: for many names, or long ones.

    Args:
        series: {label: {name: value}} or {label: {name: (value, low, high)}}. The names stand from top to bottom.
        x: label of the axis, with its unit.
        title, alt: as for `curves`.

    Returns:
        A `Picture`.
    """
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    with styled_axes(title, size=(6.4, 1.3 + max(0.28, 0.14 * len(series)) * len(names))) as (axes, finish):
        for i, ((label, values), colour, marker) in enumerate(
            zip(series.items(), COLOURS, MARKERS, strict=False)
        ):
            beside = min(0.3, 0.8 / len(series)) * (i - (len(series) - 1) / 2)
            for name, value in values.items():
                middle, low, high = with_ends(value)
                at = names.index(name) + beside
                axes.plot((low, high), (at, at), color=colour, lw=1.6)
                axes.plot(middle, at, color=colour, marker=marker, ls="none", ms=5, label=label)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=x, ylim=(len(names) - 0.4, -0.6))
        return finish(alt or in_words("Rows", series, f"{x} for {', '.join(names)}", title), series)


def outcomes(contests, title=None, alt=None):
    """Who won: a bar for each contest, cut into good, same and bad, each with its value.

    Args:
        contests: {name: {"good": percent, "same": percent, "bad": percent}}, for each as much as 100 together but for
            rounding. The names stand from top to bottom.
        title, alt: as for `curves`.

    Returns:
        A `Picture`.

    Raises:
        ValueError if the three don't make up 100.
    """
    colours = {"good": COLOURS[0], "same": FRAME, "bad": COLOURS[1]}
    with styled_axes(title, grid_axis="x", size=(6.4, 1.3 + 0.3 * len(contests))) as (axes, finish):
        for at, (name, parts) in enumerate(contests.items()):
            if abs(sum(parts[part] for part in colours) - 100) > 0.5:
                raise ValueError(f"{name}: good, same and bad of {parts} must make up 100 percent together.")
            left = 0
            for part, colour in colours.items():
                axes.barh(at, parts[part], 0.72, left, color=colour, label=part)
                if parts[part] >= 6:  # there is room for it
                    ink = INK if part == "same" else "white"
                    axes.text(
                        left + parts[part] / 2, at, f"{parts[part]:.0f}", ha="center", va="center", color=ink
                    )
                left += parts[part]
        axes.set_yticks(range(len(contests)), list(contests))
        axes.set(xlabel="percent", xlim=(0, 100), ylim=(len(contests) - 0.4, -0.6))
        return finish(alt or in_words("Outcomes", colours, ", ".join(contests), title), colours)


def radar(series, title=None, top=1.0, alt=None):
    """A radar chart: one closed line for each label, one axis for each dimension, from 0 to `top`.

    Args:
        series: {label: {dimension: value}}, with at least three dimensions.
        title, alt: as for `curves`.

    Returns:
        A `Picture`.
    """
    dimensions = list(next(iter(series.values())))
    if len(dimensions) < 3:
        raise ValueError(f"A radar chart needs three dimensions or more, got {dimensions}: use bars.")
    angles = np.linspace(0, 2 * np.pi, len(dimensions), endpoint=False)
    with styled_axes(None, projection="polar", size=(6.4, 5)) as (axes, finish):
        axes.figure.suptitle(title or "", x=0.01, ha="left", size=11)
        for (label, values), colour, marker in zip(series.items(), COLOURS, MARKERS, strict=False):
            closed = [values[dimension] for dimension in [*dimensions, dimensions[0]]]
            axes.plot([*angles, angles[0]], closed, color=colour, marker=marker, ms=5, label=label)
        axes.set(theta_zero_location="N", theta_direction=-1, ylim=(0, top))
        axes.set_xticks(angles, dimensions)
        for text, angle in zip(axes.get_xticklabels(), angles, strict=True):
            side = round(np.sin(angle), 3)  # labels grow away from the circle
            text.set_horizontalalignment("left" if side > 0 else "right" if side < 0 else "center")
        return finish(alt or in_words("Radar chart", series, ", ".join(dimensions), title), series)


def scatter(panels, x, y, under=None, title=None, alt=None):
    """Clouds of points in panels side by side, on the same axes, as long as both.

    Args:
        panels: {panel: {label: points}}, points an array (count, 2).
        x, y: labels of the axes, with units.
        under: {label: points}, one cloud that lies pale under those of every panel, to compare with.
        title, alt: as for `curves`.

    Returns:
        A `Picture`, 800 pixels wide.
    """
    labels = list(dict.fromkeys(label for clouds in panels.values() for label in clouds))
    colours = dict(zip(labels, COLOURS, strict=False))
    pale = [(label, np.asarray(points), FRAME) for label, points in (under or {}).items()]
    panels = {
        name: pale + [(label, np.asarray(points), colours.get(label)) for label, points in it.items()]
        for name, it in panels.items()
    }
    extent = np.ptp(np.concatenate([points for clouds in panels.values() for _, points, _ in clouds]), axis=0)
    height = (8 / len(panels) - 0.6) * extent[1] / extent[0] + 1.5  # inches, of them words above and below
    names = [*(under or {}), *labels]
    with styled_axes(title, panels=list(panels), size=(8, height)) as (axes, finish):
        for one, clouds in zip(axes, panels.values(), strict=True):
            for label, points, colour in clouds:
                one.scatter(*points.T, s=3, color=colour, label=label, linewidths=0)
            one.set(xlabel=x, aspect="equal")
        axes[0].set(ylabel=y)
        what = f"{title or f'{y} over {x}'}: {', '.join(panels)}"
        words = alt or in_words("Clouds of points", names, what, None)
        return finish(words, names, markerscale=4)  # points of a cloud are too small to tell


def stacked(series, x, marks=None, title=None, alt=None):
    """A bar for each name, put together from parts, with its sum at the end.

    Args:
        series: {label: {name: value}}, a part of each bar. The names stand from top to bottom.
        x: label of the axis, with its unit.
        marks: {label: value}, dashed lines to compare the bars with.
        title, alt: as for `curves`.

    Returns:
        A `Picture`.
    """
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    ends = dict.fromkeys(names, 0)
    with styled_axes(title, grid_axis="x", size=(6.4, 1.9 + 0.34 * len(names))) as (axes, finish):
        for (label, values), colour in zip(series.items(), COLOURS, strict=False):
            for name, value in values.items():
                axes.barh(names.index(name), value, 0.72, ends[name], color=colour, label=label)
                ends[name] += value
        for at, end in enumerate(ends.values()):
            over_marks = {"zorder": 4, "bbox": {"facecolor": "white", "linewidth": 0, "pad": 1}}
            note(axes, f"{end:.1f}", (end, at), (4, 0), va="center", **over_marks)
        for label, value in (marks or {}).items():
            axes.axvline(value, color=INK, ls="--", lw=1, zorder=3)
            note(axes, label, (value, -0.6), (3, 0), va="bottom")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=x, ylim=(len(names) - 0.4, -1.1 if marks else -0.6))
        words = alt or in_words("Stacked bars", series, f"{x} for {', '.join(names)}", title)
        return finish(words, series, handleheight=0.4)
