"""How good is a model, and which of two is better? Rates by ground truth with intervals, tests, numbers of examples."""

import json
from math import ceil, hypot, sqrt
from statistics import NormalDist

import numpy as np
import torch

from .environment import ROOT, progress
from .tasks import TASKS

TUNING = 900_000  # the first seed of examples for choosing settings, and for a look during training
HELD_OUT = 1_000_000  # the first seed that no training and no tuning ever uses
OTHER_NOISE = 10_000_000  # added to an example's seed for each further try at it, from other noise
RESULTS = ROOT / "assets" / "results"
Z = 1.959964  # of a 95% interval
BATCH = {"cpu": 8, "gpu": 200}  # edits at once: a GPU is idle with few small pictures


def wilson(successes, trials):
    """The 95% confidence interval of a success rate: (low, high), from 0 to 1 (Wilson, 1927)."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(
            f"{successes} successes of {trials} trials: there must be at least one trial, and no more successes"
        )
    rate = successes / trials
    middle = rate + Z**2 / (2 * trials)
    spread = Z * sqrt(rate * (1 - rate) / trials + (Z / (2 * trials)) ** 2)
    scale = 1 + Z**2 / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def mean_interval(values):
    """The 95% confidence interval of a mean: (low, high), by the normal approximation."""
    values = np.asarray(values, float)
    spread = Z * values.std(ddof=1) / sqrt(len(values)) if len(values) > 1 else np.inf
    return float(values.mean() - spread), float(values.mean() + spread)


def rate(right):
    """How often something is right, with its 95% interval: {"rate", "low", "high", "examples"}."""
    low, high = wilson(int(np.sum(right)), len(right))
    return {"rate": float(np.mean(right)), "low": low, "high": high, "examples": len(right)}


def mean(values):
    """The mean of some values, with its 95% interval: {"mean", "low", "high"}."""
    low, high = mean_interval(values)
    return {"mean": float(np.mean(values)), "low": low, "high": high}


def difference(new, old):
    """The change from one rate to another, measured on different examples: {"change", "low", "high"}, from -1 to 1.

    new, old: rates as `rate` gives them. The 95% interval is made of two of Wilson's (Newcombe, 1998). For rates of
    the same examples it is wider than need be: use `paired_difference`.
    """
    change = new["rate"] - old["rate"]
    return {
        "change": change,
        "low": change - hypot(new["rate"] - new["low"], old["high"] - old["rate"]),
        "high": change + hypot(new["high"] - new["rate"], old["rate"] - old["low"]),
    }


def paired_difference(better, worse, pairs):
    """The change of a rate on the same examples: {"change", "low", "high"}, from -1 to 1.

    better, worse: how many of the pairs got better and worse; all others stay as they were. The 95% interval counts
    one more of each (Bonett and Price, 2012), which keeps it honest where few pairs change.
    """
    if min(better, worse) < 0 or better + worse > pairs or pairs < 1:
        raise ValueError(
            f"{better} better and {worse} worse of {pairs} pairs: there must be at least one pair, "
            "and no more that changed"
        )
    up, down = (better + 1) / (pairs + 2), (worse + 1) / (pairs + 2)
    spread = Z * sqrt((up + down - (up - down) ** 2) / (pairs + 2))
    return {
        "change": (better - worse) / pairs,
        "low": max(-1.0, up - down - spread),
        "high": min(1.0, up - down + spread),
    }


def sign_test(wins, losses):
    """How likely so uneven a score, or a more uneven one, would be if each were as likely to win: p, from 0 to 1.

    wins, losses: whole numbers; ties tell nothing here and are left out. Two-sided and exact. Of pairs that succeed
    or fail, it is McNemar's test in its exact form.
    """
    if min(wins, losses) < 0:
        raise ValueError(f"{wins} wins and {losses} losses: neither can be below 0")
    decided = wins + losses
    ways = tail = 1  # in which games go: to 0 wins, and to at most as many as the weaker side has
    for count in range(min(wins, losses)):
        ways = ways * (decided - count) // (count + 1)
        tail += ways
    return min(1.0, 2 * tail / 2**decided)


def examples_to_tell(old, new, power=0.8):
    """Examples that each of two rates takes to be told apart, if they are measured on different ones: a whole number.

    old, new: the rates, from 0 to 1. power: the share of studies that find the difference at 95% (Fleiss, 1981).
    """
    _check_claim(old, new, power)
    both = (old + new) / 2
    spread = Z * sqrt(2 * both * (1 - both)) + _quantile(power) * sqrt(old * (1 - old) + new * (1 - new))
    return ceil((spread / (new - old)) ** 2)


def pairs_to_tell(better, worse, power=0.8):
    """Pairs that it takes to tell which of two models is better, if both edit the same examples: a whole number.

    better, worse: the shares of pairs that get better and worse, from 0 to 1, together at most 1. power: as for
    `examples_to_tell` (Connor, 1987).
    """
    _check_claim(worse, better, power)
    if better + worse > 1:
        raise ValueError(f"shares of {better} and {worse} are more than all pairs: together at most 1")
    changed, change = better + worse, better - worse
    spread = Z * sqrt(changed) + _quantile(power) * sqrt(changed - change**2)
    return ceil((spread / change) ** 2)


def _quantile(power):
    return NormalDist().inv_cdf(power)


def _check_claim(one, other, power):
    if not (0 <= one <= 1 and 0 <= other <= 1 and one != other and 0.5 <= power < 1):
        raise ValueError(
            f"shares of {one} and {other}, power {power}: two different shares from 0 to 1, and a power from 0.5 to 1"
        )


def calibration(chances, outcomes, bins=10):
    """Are things as likely as they are said to be?

    chances: of each thing, from 0 to 1. outcomes: whether it came true. Returns {"expected error", "bins"}: the mean
    difference between how likely things are said to be and how often they come true, over bins of equal width, each
    counted by its things (Naeini et al., 2015); and said, true and examples of each bin that is not empty.
    """
    chances, outcomes = np.asarray(chances, float), np.asarray(outcomes, bool)
    # NaN is in no range: neither comparison holds
    if not (len(chances) == len(outcomes) > 0 and chances.min() >= 0 and chances.max() <= 1):
        raise ValueError(
            f"{len(chances)} chances from 0 to 1 for {len(outcomes)} outcomes: there must be one for each, at least "
            "one, and none beyond 0 and 1 or NaN"
        )
    which = np.minimum((chances * bins).astype(int), bins - 1)
    filled = [
        {
            "said": float(chances[some].mean()),
            "true": float(outcomes[some].mean()),
            "examples": int(some.sum()),
        }
        for some in (which == place for place in range(bins))
        if some.any()
    ]
    error = sum(each["examples"] * abs(each["said"] - each["true"]) for each in filled) / len(chances)
    return {"expected error": error, "bins": filled}


def edit_examples(pipe, examples, batch=None, **overrides):
    """The pipeline's answer to each example, in order: a list of PIL images.

    Examples of one task, so that they share its settings; the noise of each comes from its own seed.
    batch: edits at once, by default as many as suit the device. overrides: arguments of the pipeline other
    than the model's settings.
    """
    batch = batch or BATCH["cpu" if pipe.device.type == "cpu" else "gpu"]
    results = []
    for start in progress(range(0, len(examples), batch), f"{len(examples)} edits"):
        part = examples[start : start + batch]
        results += pipe(
            [TASKS[example.task].prompt_for(example.prompt) for example in part],
            image=[example.image for example in part],
            mask_image=[example.mask for example in part],
            generator=[torch.Generator("cpu").manual_seed(example.seed) for example in part],
            **{**pipe.settings, **overrides},
        ).images
    return results


def evaluate(pipe, task, count=200, first_seed=HELD_OUT, **overrides):
    """Success rate and mean score of each dimension of a task on the Postcard world.

    count: examples, of the seeds from first_seed on. overrides: arguments of the pipeline.
    Returns {"success": {"rate", "low", "high", "examples"}, dimension: {"mean", "low", "high"}, ...}.
    """
    from .postcards import example, score_all

    examples = [example(task, seed, size=pipe.default_size) for seed in range(first_seed, first_seed + count)]
    return summarise(score_all(examples, edit_examples(pipe, examples, **overrides)))


def summarise(scores):
    """The scores of many edits of one task as rates and means with their 95% intervals."""
    summary = {"success": rate([score["success"] for score in scores])}
    for dimension in scores[0]:
        if dimension != "success":
            summary[dimension] = mean([score[dimension] for score in scores])
    return summary


def load_results(name):
    """Figures that were measured before, with many examples: assets/results/<name>.json as a dictionary.

    Its "command" is the command that measures them again. What others measured, "paper", has a "source" instead.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in RESULTS.glob("*.json")))
        raise FileNotFoundError(f"There are no results {name!r}: there are {known}.")
    return json.loads(path.read_text(encoding="utf-8"))
