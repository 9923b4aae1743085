"""Self-checks of notebook 11: weights in few bits, passes of an edit, the plan for a card."""

from math import isclose
from numbers import Integral, Real

import numpy as np
import torch
from diffusers.guiders import ClassifierFreeGuidance

from ..plans import PLANS, needs, parameters
from .verdict import verdict


def check_weights(weights_gb):
    """Does a function tell how many GB a part takes, some of whose weights are rounded to few bits?

    weights_gb: takes the number of parameters, how many of them are rounded, and the bytes of each rounded one. The
    others have 16 bits.
    """
    for part in ("text_encoder_2", "transformer", "text_encoder", "vae"):
        every, some = parameters()[part]
        for rounded in (1.0, 0.5625):
            answer, right = weights_gb(every, some, rounded), ((every - some) * 2 + some * rounded) / 1e9
            where = f"for {part} with {rounded:g} bytes"
            if not isinstance(answer, Real):
                return verdict(False, f"{where} it returns {answer!r}: return a number")
            if not isclose(answer, right, rel_tol=1e-6):
                why = _why_weights(answer, every, some, rounded)
                return verdict(False, f"{where} it says {answer:.3g} GB and should say {right:.3g}: {why}")
    return verdict(True, "what is rounded, and what is not, each by its own bytes")


def _why_weights(answer, every, some, rounded):
    right = (every - some) * 2 + some * rounded
    slips = {
        every * rounded / 1e9: "not all parameters are rounded",
        every * 2 / 1e9: "nothing is rounded yet",
        some * rounded / 1e9: "the others need room too, 2 bytes each",
        (every * 2 + some * rounded) / 1e9: "the rounded ones are counted twice",
        right: "a GB is a billion bytes",
        right / 2**30: "that is in GiB, a GB is a billion bytes",
    }
    return next(
        (why for slip, why in slips.items() if isclose(answer, slip, rel_tol=1e-6)), "add the two kinds"
    )


def check_passes(passes):
    """Does a function count the passes of an edit that is guided in an interval, as the guider itself has it?

    passes: takes the number of steps, and the interval as shares of them from 0 to 1; returns a whole number.
    """
    for steps, start, stop in (
        (50, 0, 1),
        (50, 0, 0.5),
        (50, 0.5, 1),
        (28, 0.25, 0.75),
        (7, 0.5, 1),
        (9, 0, 0),
    ):
        answer, right = passes(steps, start, stop), _passes(steps, start, stop)
        where = f"{steps} steps, guided from {start:g} to {stop:g}"
        if not isinstance(answer, Integral):
            return verdict(False, f"{where}: it returns {answer!r}, return a whole number")
        if answer != right:
            why = _why_passes(answer, steps, right)
            return verdict(False, f"{where}: it says {answer}, the guider asks for {right}{why}")
    return verdict(True, "two passes for a step inside the interval, one outside")


def _passes(steps, start, stop):
    guider, asked = ClassifierFreeGuidance(4.0, start=start, stop=stop), 0
    for step, time in enumerate(torch.linspace(1000, 1, steps)):
        guider.set_state(step=step, num_inference_steps=steps, timestep=time)
        asked += guider.num_conditions
    return asked


def _why_passes(answer, steps, right):
    if answer == right - steps:
        return ": the prompt's own pass is missing, which every step needs"
    if answer == 2 * steps:
        return ": outside the interval one pass is enough"
    if abs(answer - right) == 1:
        return ": shares of the steps are rounded down"
    return ""


def check_plan(pick):
    """Does a function pick the best plan that fits?

    pick: takes GB of GPU memory, GB of system memory, and {name: Needs} from the best plan on; returns a name, or None
    where no plan fits.
    """
    table = {name: needs(plan) for name, plan in PLANS.items()}
    generator = np.random.default_rng(0)
    machines = [(85.0, 128.0), (25.4, 64.0), (16.9, 13.6), (4.0, 64.0), (85.0, 2.0)]
    machines += [tuple(map(float, generator.uniform((4, 2), (50, 60)).round(1))) for _ in range(200)]
    for gpu, system in machines:
        answer = pick(gpu, system, dict(table))
        right = next(
            (name for name, need in table.items() if need.gpu <= gpu and need.system <= system), None
        )
        if answer == right:
            continue
        where = f"with {gpu} GB on the GPU and {system} GB in the system"
        if answer is not None and answer not in table:
            return verdict(False, f"{where} it returns {answer!r}: return the name of a plan, or None")
        return verdict(False, f"{where} it picks {answer!r}: {_why_plan(answer, right, gpu, system, table)}")
    return verdict(True, "the best that fits both memories, or none")


def _why_plan(answer, right, gpu, system, table):
    if answer is None:
        return f"{right!r} fits"
    need = table[answer]
    if need.gpu > gpu:
        return f"that needs {need.gpu:.1f} GB of the GPU"
    if need.system > system:
        return f"that needs {need.system:.1f} GB of the system"
    return f"{right!r} fits too, and is better"
