"""Self-checks of notebook 10: percentages that cannot be, claims that stand together, votes on the same pictures."""

from math import isclose

import numpy as np

from ..evaluation import mean_interval, wilson
from .verdict import verdict

NEAR = 0.15  # of the width of an interval: bootstrapping ends up as near as this


def check_possible(possible):
    """Does a function tell whether a percentage with two decimals can come of so many votes?

    possible: takes the percentage and the number of votes, yes or no each; returns a bool.
    """
    rng = np.random.default_rng(0)
    cases = [(45.22, 130), (33.33, 3), (66.67, 3), (66.66, 3), (100.0, 7), (52.11, 71), (45.22, 5200)]
    cases += [(round(100 * rng.integers(0, votes + 1) / votes, 2), int(votes)) for votes in (37, 130, 900)]
    for percent, votes in cases:
        near = [100 * yes / votes for yes in range(votes + 1) if abs(100 * yes / votes - percent) < 0.0051]
        answer, right = possible(percent, votes), bool(near)
        where = f"{percent:.2f}% of {votes} votes"
        if not isinstance(answer, (bool, np.bool_)):
            return verdict(False, f"for {where} it returns {answer!r}: return True or False")
        if answer and not right:
            yes = int(percent / 100 * votes)
            around = " or ".join(f"{100 * each / votes:.2f}%" for each in (yes, yes + 1))
            return verdict(False, f"it says yes to {where}, but the votes next to it make {around}")
        if right and not answer:
            yes = round(near[0] / 100 * votes)
            return verdict(False, f"it says no to {where}, but {yes} of {votes} are {near[0]:.4f}%")
    return verdict(True, "no whole number of 130 votes makes 45.22%")


def check_holm(stand):
    """Does a function name the claims that stand together by Holm's method?

    stand: takes {claim: p} and returns the claims that stand at 5%, all of them together, in any order.
    """
    rng = np.random.default_rng(1)
    cases = [
        [0.04],
        [0.012, 0.02, 0.03],
        [0.03, 0.04, 0.045],
        [0.001, 0.015, 0.02, 0.04],
        [0.2, 0.001, 0.026],
        [0.5, 0.9],
    ]
    cases += [np.round(rng.random(6) ** 4, 4).tolist() for _ in range(30)]
    for values in cases:
        claims = dict(zip("abcdef", values, strict=False))
        answer = stand(dict(claims))
        if not isinstance(answer, (list, set, tuple)) or not set(answer) <= set(claims):
            return verdict(False, f"of {claims} it returns {answer!r}: return a list of the claims")
        right, rest = set(), len(claims)
        for claim in sorted(claims, key=claims.get):
            if claims[claim] > 0.05 / rest:
                break
            right.add(claim)
            rest -= 1
        for claim in sorted(set(answer) - right):
            return verdict(False, f"of {claims} it lets {claim} stand: {_why_not(claim, claims)}")
        for claim in sorted(right - set(answer)):
            place = sorted(claims.values()).index(claims[claim])
            left = len(claims) - place
            return verdict(
                False,
                f"of {claims} it leaves out {claim}, whose {claims[claim]:g} is at most 0.05 / {left}: "
                f"{place} smaller ones stand already, and are no longer counted",
            )
    return verdict(True, "one false claim in twenty such tables, not in twenty claims")


def _why_not(claim, claims):
    """What speaks against a claim."""
    p, smaller = claims[claim], sorted(value for value in claims.values() if value < claims[claim])
    limit = 0.05 / (len(claims) - len(smaller))
    if p > limit:
        return f"{p:g} is more than 0.05 / {len(claims) - len(smaller)}"
    return "a smaller one failed before it, and with the first that fails all larger ones fail"


def check_by_pictures(interval):
    """Does a function give the interval of a rate when many people vote on each picture?

    interval: takes votes, bool (pictures, raters), and returns (low, high), 95%, for other pictures of the kind.
    """
    rng = np.random.default_rng(2)
    for pictures, raters, spread in ((130, 40, 0.4), (400, 5, 1.0), (100, 40, 6.0)):
        chances = rng.beta(0.6 * spread, 0.4 * spread, pictures)
        votes = rng.random((pictures, raters)) < chances[:, None]
        low, high = mean_interval(votes.mean(axis=1))
        answer = interval(votes.copy())
        where = f"with {pictures} pictures and {raters} raters"
        if np.shape(answer) != (2,) or not answer[0] <= answer[1]:
            return verdict(False, f"{where} it returns {answer!r}: return the lower and the upper end")
        width, right = answer[1] - answer[0], high - low
        if abs(sum(answer) / 2 - votes.mean()) > 0.25 * right:
            return verdict(
                False, f"{where} its middle is {sum(answer) / 2:.2f}, and the rate is {votes.mean():.2f}"
            )
        if abs(width / right - 1) > NEAR:
            return verdict(
                False,
                f"{where} it is {100 * width:.1f} points wide, not {100 * right:.1f}{_slip(width, votes)}",
            )
    return verdict(True, "as wide as other pictures would make it, however many people vote")


def _slip(width, votes):
    """What an interval that is too wide or too narrow was made of."""
    slips = {
        "these are the votes as if each were on another picture": wilson(int(votes.sum()), votes.size),
        "that is from rater to rater: take the mean of each picture": mean_interval(votes.mean(axis=0)),
        "one verdict for each picture throws away how many agreed": wilson(
            votes.mean() * len(votes), len(votes)
        ),
    }
    for why, (low, high) in slips.items():
        if isclose(width, high - low, rel_tol=0.03):
            return f": {why}"
    return ""
