"""Self-checks of notebook 06: as few predictions as needed, guidance by a classifier, an interval of guidance."""

from numbers import Real

import torch

from .. import toy
from .verdict import verdict

SCALE = 4.0
POINTS = 2000
LEAST_RIGHT, LEAST_SPREAD = 0.99, 0.9


def check_rule(guided):
    """Does a function follow v_neg + scale (v_pos - v_neg), and ask only for the predictions that count?

    guided: takes two functions without arguments that return the predictions, and the scale.
    """
    x = toy.normal(20, torch.Generator().manual_seed(0))
    pos, neg = toy.ORANGE.velocity(x, 0.5), toy.EVERYTHING.velocity(x, 0.5)
    for scale in (4.0, 0.5, 1.0, 0.0):
        asked = []

        def ask(name, prediction, asked=asked):
            asked.append(name)
            return prediction

        answer = guided(lambda ask=ask: ask("positive", pos), lambda ask=ask: ask("negative", neg), scale)
        if not isinstance(answer, torch.Tensor) or answer.shape != x.shape:
            return verdict(False, f"at scale {scale:g} it returns no velocity: return a tensor like v_pos()")
        if not _close(answer, neg + scale * (pos - neg)):
            return verdict(
                False, f"at scale {scale:g} the velocity is wrong: {_why(answer, pos, neg, scale)}"
            )
        needed = {1.0: ["positive"], 0.0: ["negative"]}.get(scale, ["negative", "positive"])
        if extra := set(asked) - set(needed):
            return verdict(
                False, f"at scale {scale:g} it asks for the {extra.pop()} prediction, which counts 0"
            )
        if len(asked) > len(needed):
            return verdict(
                False, f"at scale {scale:g} it asks {len(asked)} times: keep what v_pos() returned"
            )
    return verdict(True, "two predictions where both count, one where only one does")


def check_classifier(velocity):
    """Does a function guide by the gradient of a classifier, as true CFG does by two predictions?

    velocity: takes points (count, 2), a noise level and a scale.
    """
    x = toy.normal(50, torch.Generator().manual_seed(0))
    for scale, sigma in ((0.0, 0.5), (1.0, 0.5), (1.0, 0.8), (1.0, 0.2), (4.0, 0.8)):
        everything = toy.EVERYTHING.velocity(x, sigma)
        truth = toy.guided(toy.ORANGE.velocity, toy.EVERYTHING.velocity, scale)(x, sigma)
        answer = velocity(x.clone(), sigma, scale)
        where = f"at noise level {sigma:g} and scale {scale:g}"
        if not isinstance(answer, torch.Tensor) or answer.shape != x.shape:
            return verdict(False, f"{where} it returns no velocity: return a tensor like x")
        if _close(answer, truth):
            continue
        if scale == 0:
            return verdict(False, f"{where} nothing is left of the classifier: return EVERYTHING's velocity")
        push, right_push = (answer - everything).flatten(), (truth - everything).flatten()
        if push.norm() < 1e-9:
            return verdict(False, f"{where} it is not guided: add the classifier's gradient")
        times = (push @ right_push / right_push.square().sum()).item()
        if not _close(push, times * right_push):
            return verdict(False, f"{where} it pushes somewhere else: take the gradient of log_chance in x")
        if times < 0:
            return verdict(False, f"{where} it pushes away from orange: mind the sign in section 4")
        return verdict(
            False, f"{where} the push points the right way, and is {times:.2f} times as long as it must be"
        )
    return verdict(True, "the classifier's gradient guides exactly as the two predictions do")


def check_interval(start, stop):
    """Does guidance at scale 4, at noise levels from start down to stop, sharpen without a loss of diversity?"""
    if not all(isinstance(level, Real) for level in (start, stop)) or not 0 <= stop < start <= 1:
        return verdict(False, f"guide from {start} down to {stop}: two noise levels, 1 >= start > stop >= 0")
    noise = toy.normal(POINTS, torch.Generator().manual_seed(1))
    rule = toy.guided(toy.ORANGE.velocity, toy.EVERYTHING.velocity, SCALE, start, stop)
    found = toy.judge(toy.flow(rule, noise, torch.linspace(1, 0, 51)), toy.ORANGE, toy.BLUE)
    own = toy.judge(toy.ORANGE.draw(POINTS, torch.Generator().manual_seed(1)), toy.ORANGE, toy.BLUE)
    share = found["spread"] / own["spread"]
    reached = (
        f"{found['right']:.1%} are right (wanted {LEAST_RIGHT:.0%}), "
        f"{share:.0%} of the spread is left (wanted {LEAST_SPREAD:.0%})"
    )
    if found["right"] < LEAST_RIGHT:
        return verdict(False, f"{reached}: guide for longer, or elsewhere")
    if share < LEAST_SPREAD:
        return verdict(
            False, f"{reached}: at high noise levels points choose a blob, so let them choose alone"
        )
    return verdict(True, reached)


def _why(answer, pos, neg, scale):
    """What a wrong velocity was made by."""
    if _close(answer, pos + scale * (pos - neg)):
        return "this is the other spelling, whose scale is 1 less"
    if _close(answer, pos + scale * (neg - pos)) or _close(answer, neg - scale * (pos - neg)):
        return "it moves towards the negative prediction"
    if _close(answer, pos):
        return "this is v_pos, without guidance"
    return "it should be v_neg + scale (v_pos - v_neg)"


def _close(one, other):
    return torch.allclose(one.to(other), other, rtol=1e-6, atol=1e-9)
