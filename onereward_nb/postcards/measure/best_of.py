"""What choosing is worth: the best of N edits, as the reward model chooses, as the oracle does, and by chance.

Every example is edited from as many noises as the largest N. The smaller N look at the first of these only.
"""

from dataclasses import replace

import numpy as np

from ...environment import progress
from ...evaluation import HELD_OUT, OTHER_NOISE, edit_examples, rate, wilson
from ...tasks import TASKS
from ..examples import example
from ..oracle import score_all

NUMBERS = (1, 2, 4, 8)
STEPS = 8  # as good as the model's own number of steps: results/guidance.json


def measure(pipe, judge, count):
    """Success over N by task and chooser: {task: {chooser: {N: rate}}}."""
    figures = {}
    for task in TASKS.values():
        examples = [example(task.name, seed, pipe.default_size) for seed in range(HELD_OUT, HELD_OUT + count)]
        right, edits = tries(pipe, examples, NUMBERS[-1], num_inference_steps=STEPS)
        contests = [
            judge.contests(some, task=task, dimensions=task.dimensions, prompt=task.prompt_for(each.prompt))
            for each, some in zip(progress(examples, f"{count} choices"), edits, strict=True)
        ]
        figures[task.name] = by_number(right, np.array(contests), task.dimensions)
        print(task.name, figures[task.name], flush=True)
    return {"steps": STEPS, "tasks": figures}


def tries(pipe, examples, number, **overrides):
    """Edits of each example from several noises, and which succeed: bool (examples, number), lists of PIL images."""
    seeded = [
        replace(each, seed=each.seed + place * OTHER_NOISE) for each in examples for place in range(number)
    ]
    edits = edit_examples(pipe, seeded, **overrides)
    right = [score["success"] for score in score_all(seeded, edits)]
    by_example = [edits[start : start + number] for start in range(0, len(edits), number)]
    return np.reshape(right, (len(examples), number)), by_example


def by_number(right, contests, dimensions):
    """How often the chosen one of the first N edits succeeds: {chooser: {N: rate}}.

    right: bool (examples, edits). contests: P(Yes) of each edit over each other, (examples, dimensions, edits, edits).
    The choosers: chance; the oracle, which finds a success where there is one; the judge by the mean of all
    dimensions, and by each alone.
    """
    choosers = {"chance": {}, "oracle": {}, "judge": {}, **{dimension: {} for dimension in dimensions}}
    for number in NUMBERS:
        some = right[:, :number]
        standings = contests[:, :, :number, :number].mean(axis=3)  # (examples, dimensions, N)
        choosers["chance"][number] = share(some.mean(axis=1))
        choosers["oracle"][number] = rate(some.any(axis=1))
        choosers["judge"][number] = rate(picked(some, standings.mean(axis=1)))
        for place, dimension in enumerate(dimensions):
            choosers[dimension][number] = rate(picked(some, standings[:, place]))
    return choosers


def picked(right, standings):
    """Whether the edit that stands highest succeeds: bool (examples,). Both arrays (examples, edits)."""
    return right[np.arange(len(right)), standings.argmax(axis=1)]


def share(shares):
    """The mean of shares of successes, in the form of a rate. Its interval is that of one edit of each: rather too wide."""
    low, high = wilson(shares.sum(), len(shares))
    return {"rate": float(np.mean(shares)), "low": low, "high": high, "examples": len(shares)}
