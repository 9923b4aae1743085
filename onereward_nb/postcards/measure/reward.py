"""How good a judge is: its accuracy by task and dimension, as the paper reports it, and what the paper leaves out.

Pairs are the best and the worst of four candidates of held-out edits, as the oracle sees them.
"""

import time
from itertools import pairwise

import numpy as np
import torch

from ...evaluation import calibration, load_results, rate
from ...tasks import TASKS
from ..planted import KINDS, planted_pairs
from ..preferences import MARGIN, load_items, pairs_of

TIMED = 64  # pairs
GAPS = (MARGIN, 0.1, 0.2, 0.4, 1.0)  # pairs are told apart by how far apart the oracle's scores are


def measure(judge, paths, planted=200, task=None):
    """Accuracy by cell, position bias, calibration, planted faults and speed of a reward model.

    paths: files of held-out items. planted: pairs of each kind. task: of this one only.
    """
    pairs = [pair for pair in load_pairs(paths) if task in (None, pair.task)]
    there, back = (judged(judge, pairs, swapped) for swapped in (False, True))
    figures = {
        "cells": by_cell(pairs, there, back),
        "gaps": by_gap(pairs, there > back),
        "planted": {},
    }
    figures["position bias in points"] = 100 * float(np.mean((there + back) / 2) - 0.5)
    figures["says Yes"] = rate(np.concatenate([there, back]) > 0.5)
    chosen = np.arange(len(pairs)) % 2 == 0
    figures["calibration"] = calibration(np.where(chosen, there, back), chosen)
    for kind in KINDS:
        for name in (name for name in kind.tasks if task in (None, name)):
            some = planted_pairs(kind, name, planted)
            both = judged(judge, some, False), judged(judge, some, True)
            right = np.where(np.arange(planted) % 2, both[1] < 0.5, both[0] > 0.5)
            figures["planted"].setdefault(name, {})[kind.name] = {
                **rate(right),
                "both orders": rate(both[0] > both[1]),
                "dimension": kind.dimension,
            }
            print(name, kind.name, figures["planted"][name][kind.name]["rate"], flush=True)
    return figures | {"speed": speed(judge, pairs[:TIMED])}


def load_pairs(paths):
    """The best and the worst of the candidates of each item, in each dimension."""
    return [pair for path in paths for item in load_items(path) for pair in pairs_of(item)]


def by_cell(pairs, there, back):
    """Accuracy by task and dimension. there, back: P(Yes) for the winners before the losers and after them, (n,)."""
    paper = load_results("paper")["accuracy"]["tasks"]  # of another world, with people as annotators
    cells = {}
    for name, dimension in dict.fromkeys((pair.task, pair.dimension) for pair in pairs):
        of_cell = [(pair.task, pair.dimension) == (name, dimension) for pair in pairs]
        before, after = there[of_cell], back[of_cell]
        # each pair counts once: the winner comes first in every second
        asked = np.where(np.arange(len(before)) % 2, 1 - after, before)
        cells.setdefault(name, {})[dimension] = {
            **rate(asked > 0.5),
            "both orders": rate(before > after),
            "paper": paper.get(name, {}).get(dimension),
        }
    return cells


def by_gap(pairs, right):
    """Accuracy over both orders by dimension, of near ties and of plain cases: {dimension: [rate and gap]}.

    right: bool (n,). gap: the least and the most difference of the oracle's scores.
    """
    gaps, result = np.array([pair.gap for pair in pairs]), {}
    for dimension in dict.fromkeys(pair.dimension for pair in pairs):
        of_dimension = np.array([pair.dimension == dimension for pair in pairs])
        for low, high in pairwise(GAPS):
            some = of_dimension & (low <= gaps) & (gaps < high if high < GAPS[-1] else gaps <= high)
            if some.any():
                result.setdefault(dimension, []).append({"gap": [low, high], **rate(right[some])})
    return result


def measure_per_task(judges, paths):
    """A judge of all tasks against one judge for each task: accuracy by cell of both.

    judges: {"unified": judge, task: judge ...}. paths: files of held-out items.
    """
    pairs, figures = load_pairs(paths), {"unified": {}, "per task": {}}
    for name in TASKS:
        some = [pair for pair in pairs if pair.task == name]
        for kind, judge in (("unified", judges["unified"]), ("per task", judges[name])):
            both = (judged(judge, some, swapped) for swapped in (False, True))
            figures[kind] |= by_cell(some, *both)
    return figures


def judged(judge, pairs, swapped):
    """P(Yes) for the winner before the loser, or swapped: array (n,)."""
    chances = np.empty(len(pairs))
    for name, dimension in dict.fromkeys((pair.task, pair.dimension) for pair in pairs):
        places = [
            place for place, pair in enumerate(pairs) if (pair.task, pair.dimension) == (name, dimension)
        ]
        sides = [[pairs[place].winner for place in places], [pairs[place].loser for place in places]]
        chances[places] = judge.preference(
            *(sides[::-1] if swapped else sides),
            task=TASKS[name],
            dimension=dimension,
            prompt=[pairs[place].prompt for place in places],
        )
    return chances


def speed(judge, pairs):
    """Pairs in one order that are judged in a second, in batches, and where."""
    judged(judge, pairs[:8], False)
    start = time.perf_counter()
    judged(judge, pairs, False)
    return {
        "pairs per second": len(pairs) / (time.perf_counter() - start),
        "device": judge.model.device.type,
        "threads": torch.get_num_threads(),
    }
