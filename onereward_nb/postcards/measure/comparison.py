"""All fill models on the same examples: success, dimensions, and good/same/bad against the model they began as.

The paper reports good/same/bad by people's overall impression (arXiv 2508.21066, section 5.2). Here the oracle judges:
the mean of a task's dimensions.
"""

from itertools import chain

import numpy as np

from ...evaluation import HELD_OUT, edit_examples, rate, summarise
from ...models import MODELS, load_pipeline, obstacle_to
from ...tasks import TASKS
from ..examples import example
from ..oracle import pool, score_all

BASE = "postcard-fill"
SCALES = {"own": None, "1": 1.0, "4": 4.0}  # of true CFG: each model's own, none, OneReward's
SAME = 0.05  # overall scores nearer to each other than this are the same
PORTION = 25  # edits that a process scores at a time


def small_models():
    """The names of the fill models that ship, the base first."""
    return [
        model.name
        for model in MODELS.values()
        if model.kind == "pipeline" and not model.full_size and obstacle_to(model) is None
    ]


def measure(names, count, device=None, **overrides):
    """Every model at every task and scale: {"models": {name: {scale: {task: summary}}}, "against the base": ...}.

    count: held-out examples of each task, the same for all models, from the same noise. overrides: arguments of the
    pipelines. Against the base, each model is taken at its own scale: {name: {task: {"good", "same", "bad": rate}}}.
    """
    if BASE not in names:
        raise ValueError(f"models are {names}: name {BASE} too, which the others are compared with")
    if len(set(names)) < len(names):
        raise ValueError(f"models are {names}: name each of them once")
    examples = {task: [example(task, seed) for seed in range(HELD_OUT, HELD_OUT + count)] for task in TASKS}
    jobs = {}
    with pool() as oracle:
        for name in names:
            pipe = load_pipeline(name, device=device)
            pipe.set_progress_bar_config(disable=True)
            for label, scale in SCALES.items():
                if scale == pipe.settings.get("true_cfg_scale", 1.0):
                    jobs |= {(name, label, task): jobs[name, "own", task] for task in TASKS}
                    continue
                guidance = {} if scale is None else {"true_cfg_scale": scale}
                for task, some in examples.items():
                    edits = edit_examples(pipe, some, **overrides, **guidance)
                    jobs[name, label, task] = [
                        oracle.submit(
                            score_all, some[start : start + PORTION], edits[start : start + PORTION]
                        )
                        for start in range(0, count, PORTION)
                    ]
                print(name, f"scale {label}", flush=True)
        scores = {key: list(chain.from_iterable(job.result() for job in each)) for key, each in jobs.items()}
    return {
        "examples": count,
        "overrides": overrides,
        "models": {
            name: {label: {task: summarise(scores[name, label, task]) for task in TASKS} for label in SCALES}
            for name in names
        },
        "against the base": {
            name: {
                task: good_same_bad(scores[name, "own", task], scores[BASE, "own", task], task)
                for task in TASKS
            }
            for name in names
            if name != BASE
        },
    }


def good_same_bad(scores, others, task):
    """How often edits are better than others of the same examples, as good, and worse: {"good", "same", "bad": rate}."""
    difference = overall(scores, task) - overall(others, task)
    return {
        "good": rate(difference > SAME),
        "same": rate(np.abs(difference) <= SAME),
        "bad": rate(difference < -SAME),
    }


def overall(scores, task):
    """The mean of the task's dimensions, edit by edit: (n,), from 0 to 1."""
    return np.array([[score[name] for name in TASKS[task].dimensions] for score in scores]).mean(axis=1)
