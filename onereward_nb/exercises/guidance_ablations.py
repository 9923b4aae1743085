"""Self-checks of notebook 07: the cheapest setting that keeps up, a Pareto front, how many pairs a question takes."""

from math import ceil, isclose
from numbers import Real

import numpy as np

from ..evaluation import Z, load_results
from ..pareto import unbeaten
from ..tasks import TASKS
from .verdict import verdict

OWN = "steps: 28"


def check_cheapest(cheapest):
    """Does a function find the setting with the fewest passes whose rate is not below the own one's interval?

    cheapest: takes {name: {"passes", "success": {task: {"rate", "low", "high"}}}}, the name of the own setting and
    a task; returns a name. Of settings at the same cost, it takes the one that succeeds more often.
    """
    points = {
        f"{sweep}: {name}": point
        for sweep, table in load_results("guidance")["sweeps"].items()
        for name, point in table.items()
    }
    for task in TASKS:
        answer = cheapest(dict(points), OWN, task)
        if not isinstance(answer, str) or answer not in points:
            return verdict(False, f"for {task} it returns {answer!r}: return the name of a setting")
        rates = {name: point["success"][task]["rate"] for name, point in points.items()}
        low = points[OWN]["success"][task]["low"]
        right = min(
            (name for name in points if rates[name] >= low),
            key=lambda name: (points[name]["passes"], -rates[name]),
        )
        spent, needed = points[answer]["passes"], points[right]["passes"]
        chosen = f"for {task} it takes {answer!r}, with {rates[answer]:.1%}"
        if rates[answer] < low:
            return verdict(
                False, f"{chosen}, below the interval of the own setting, which begins at {low:.1%}"
            )
        if spent > needed:
            return verdict(False, f"{chosen} at {spent:g} passes, but {right!r} needs {needed:g}")
        if rates[answer] < rates[right]:
            return verdict(False, f"{chosen}, but {right!r} costs the same and has {rates[right]:.1%}")
    return verdict(True, "as cheap as can be, and in no task below the interval")


def check_front(front):
    """Does a function find the points (cost, value) that no other point beats?

    front: takes a list of points, and returns those on the Pareto front in any order.
    """
    generator = np.random.default_rng(0)
    drawn = [[tuple(map(int, point)) for point in generator.integers(1, 9, (8, 2))] for _ in range(50)]
    for points in [[(4, 79), (8, 91), (8, 89), (16, 91), (56, 90)], [(5, 5)], *drawn]:
        answer, right = front(list(points)), unbeaten(points)
        if not isinstance(answer, (list, tuple, set)) or not all(point in points for point in answer):
            return verdict(False, f"of {points} it returns {answer!r}: return a list of these points")
        for cost, value in sorted(set(answer) - set(right)):
            better = next(each for each in right if each[0] <= cost and each[1] >= value)
            return verdict(False, f"of {points} it keeps {(cost, value)}, though {better} beats it")
        for point in sorted(set(right) - set(answer)):
            return verdict(False, f"of {points} it leaves out {point}, which no other point beats")
    return verdict(True, "what nothing beats, and nothing else")


def check_pairs(pairs_needed):
    """Does a function say how many pairs show a change of a rate, as finely as asked?

    pairs_needed: takes the share of pairs whose outcome flips, as often one way as the other, and the half-width
    that the 95% interval of the change may have; returns the number of pairs.
    """
    for flips, half_width in ((0.05, 0.02), (0.05, 0.01), (0.4, 0.02)):
        answer, right = pairs_needed(flips, half_width), Z**2 * flips / half_width**2
        where = f"with {flips:.0%} flips, for {100 * half_width:g} points up or down"
        if not isinstance(answer, Real) or not answer > 0:
            return verdict(False, f"{where} it returns {answer!r}: return a number of pairs")
        if not isclose(answer, right, rel_tol=0.01):
            why = _why(answer / right, flips, half_width)
            return verdict(False, f"{where} it says {answer:,.0f}{why}")
    return verdict(True, f"{ceil(Z**2 * 0.05 / 0.02**2)} pairs show 2 points where 5% flip")


def _why(times, flips, half_width):
    """What a wrong number of pairs, so many times the right one, was made by."""
    slips = {
        Z**-2: "1.96 is missing, or not squared with the rest",
        1 / Z: "the 1.96 must be squared, too",
        1 / 4: "half_width is half of the interval, not all of it",
        4: "half_width is half of the interval already",
        half_width: "the half-width must be squared",
        2 * (1 - flips): "that is for two separate groups, not for pairs",
        1 - flips: "flips (1 - flips) is the variance of yes or no, but a change is -1, 0 or 1",
        flips**-0.5: "the standard deviation stands where the variance belongs",
        flips: "the variance is the share of flips itself, for a change is 1 in size wherever it is not 0",
    }
    return next((f": {why}" for slip, why in slips.items() if isclose(times, slip, rel_tol=0.01)), "")
