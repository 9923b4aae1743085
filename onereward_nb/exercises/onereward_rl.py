"""Self-checks of notebook 09: the loss of several dimensions, the half-life of the average, the steps with gradient."""

import math
from numbers import Integral, Real

import torch

from .verdict import verdict


def check_loss(loss):
    """Is a function the mean over dimensions of the mean hinge over the batch?

    loss: takes {dimension: P(Yes), (n,)} and the bound.
    """
    generator = torch.Generator().manual_seed(0)
    chances = {name: torch.rand(6, generator=generator) for name in ("consistency", "structure")}
    for bound in (0.6, 1.0):
        right = torch.stack([(bound - p).clamp(min=0).mean() for p in chances.values()]).mean()
        answer = loss(chances, bound)
        where = f"with lambda {bound:g}"
        if isinstance(answer, Real):
            return verdict(
                False,
                f"{where} it is a plain number: return a tensor with one number, so that it has a gradient",
            )
        if not isinstance(answer, torch.Tensor) or answer.shape != ():
            return verdict(False, f"{where} it returns no single number: take the mean of all losses")
        if not torch.isclose(answer, right):
            why = _why(loss, answer, chances, bound)
            return verdict(False, f"{where} it is {answer:.3f} and should be {right:.3f}: {why}")
    return verdict(True, "a picture beyond the bound counts nothing, in any dimension")


def check_average(half_life):
    """Does a function tell after how many iterations an average has forgotten half of its start?"""
    for tau in (0.5, 0.9, 0.95, 0.999):
        answer, right = half_life(tau), math.ceil(math.log(0.5) / math.log(tau))
        if not isinstance(answer, Integral):
            return verdict(
                False, f"for tau {tau:g} it returns {answer!r}: return a whole number of iterations"
            )
        if answer != right:
            wrong = f"for tau {tau:g} it says {answer}: then {tau**answer:.0%} of the start is left"
            late = f", and half was gone after {right} already" if answer > right else ""
            return verdict(False, wrong + late)
    return verdict(True, "tau to the power of that many iterations is at most one half")


def check_steps(gradient_steps):
    """Does a function list the steps between two shares of the schedule, the second left out?"""
    for steps, t1, t2 in ((10, 0.6, 1.0), (6, 0.5, 1.0), (28, 0.25, 0.75), (8, 0.0, 0.5)):
        answer, right = gradient_steps(steps, t1, t2), list(range(round(t1 * steps), round(t2 * steps)))
        where = f"of {steps} steps from {t1:g} to {t2:g}"
        if not isinstance(answer, (list, tuple, range)):
            return verdict(False, f"{where} it returns {answer!r}: return a list of numbers")
        answer = list(answer)
        if answer == right:
            continue
        if extra := sorted(set(answer) - set(right)):
            return verdict(
                False,
                f"{where} step {extra[0]} is not among them: the range is steps {right[0]} to {right[-1]}",
            )
        if lacking := sorted(set(right) - set(answer)):
            return verdict(False, f"{where} step {lacking[0]} is missing")
        return verdict(False, f"{where} list each step once, in order")
    return verdict(True, "step 0 starts from pure noise, the last one ends at the clean picture")


def _why(loss, answer, chances, bound):
    """What a wrong loss was made by."""
    together = torch.stack(list(chances.values()))
    # Where every mean lies below the bound, a hinge of means gives what no hinge gives: look beyond the bound too
    beyond = loss({name: torch.ones_like(p) for name, p in chances.items()}, bound)
    no_hinge = torch.isclose(answer, bound - together.mean()) and beyond < 0
    if no_hinge or torch.isclose(answer, 1 - together.mean()):
        return "it has no hinge, so a picture beyond the bound still counts"
    means = together.mean(), together.mean(dim=0), together.mean(dim=1)
    if any(torch.isclose(answer, (bound - mean).clamp(min=0).mean()) for mean in means):
        return (
            "a picture beyond the bound must count 0 by itself: take max(0, lambda - P) of each picture before "
            "any mean"
        )
    if torch.isclose(answer, (together - bound).clamp(min=0).mean()):
        return "it is large where the reward is large, and must be the other way round"
    if torch.isclose(answer, (bound - together).clamp(min=0).sum()):
        return "it is the sum, take the mean"
    return "take max(0, lambda - P) of each picture, then the mean"
