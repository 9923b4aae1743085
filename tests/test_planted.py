"""Edits spoiled by drawing: the oracle must agree that they are worse, and where."""

import numpy as np
import pytest

from onereward_nb.evaluation import HELD_OUT
from onereward_nb.postcards import example, score_all
from onereward_nb.postcards.planted import KINDS, planted_pairs
from onereward_nb.tasks import TASKS

CASES = [(kind, task) for kind in KINDS for task in kind.tasks]


@pytest.mark.parametrize(("kind", "task"), CASES, ids=[f"{task}, {kind.name}" for kind, task in CASES])
def test_the_oracle_finds_the_spoiled_one_worse_in_its_dimension(kind, task):
    pairs = planted_pairs(kind, task, 4)
    edits = [example(task, pair.seed) for pair in pairs]
    better, worse = (
        score_all(edits, [getattr(pair, side) for pair in pairs]) for side in ("winner", "loser")
    )
    for one, other in zip(better, worse, strict=True):
        assert one[kind.dimension] > other[kind.dimension]
    for edit, pair in zip(edits, pairs, strict=True):
        assert (pair.task, pair.dimension, pair.prompt) == (task, kind.dimension, edit.prompt)
        outside = np.asarray(edit.mask) == 0
        for image in (pair.winner, pair.loser):
            assert np.array_equal(np.asarray(image)[outside], np.asarray(edit.image)[outside])


def test_every_task_is_covered_and_every_dimension_is_one_of_its_own():
    assert {task for _, task in CASES} == set(TASKS)
    assert all(kind.dimension in TASKS[task].dimensions for kind, task in CASES)


def test_planted_pairs_are_held_out_and_the_same_each_time():
    one, other = (planted_pairs(KINDS[0], "fill", 3) for _ in range(2))
    assert all(pair.seed >= HELD_OUT for pair in one)
    for a, b in zip(one, other, strict=True):
        assert a[:4] == b[:4] and np.array_equal(np.asarray(a.loser), np.asarray(b.loser))
