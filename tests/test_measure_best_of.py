"""The study of best-of-N: choosers whose choices are known."""

import numpy as np
import pytest

from onereward_nb.evaluation import rate
from onereward_nb.postcards import example
from onereward_nb.postcards.measure import best_of
from onereward_nb.postcards.measure.best_of import NUMBERS, by_number, share

MOST = NUMBERS[-1]
DIMENSIONS = ("structure", "aesthetics")


@pytest.fixture
def right():
    return np.random.default_rng(0).random((50, MOST)) < 0.3


def contests_by(merits):
    """P(Yes) of a judge to whom each edit has a merit: (examples, dimensions, edits) to (..., edits, edits)."""
    return 1 / (1 + np.exp(merits[..., None, :] - merits[..., :, None]))


def rates(figures, chooser):
    return [figures[chooser][number]["rate"] for number in NUMBERS]


def test_a_judge_that_knows_chooses_as_the_oracle_and_one_that_errs_chooses_failures(right):
    merits = np.stack([right, ~right], axis=1).astype(float)
    figures = by_number(right, contests_by(merits), DIMENSIONS)
    assert rates(figures, "structure") == rates(figures, "oracle")
    assert rates(figures, "aesthetics") == [right[:, :number].all(axis=1).mean() for number in NUMBERS]


def test_rates_are_those_of_choices_one_by_one(right):
    contests = contests_by(np.random.default_rng(1).normal(size=(50, 2, MOST)))
    figures = by_number(right, contests, DIMENSIONS)
    for number in NUMBERS:
        successes, by_structure = [], []
        for truth, tables in zip(right, contests, strict=True):
            points = [sum(table[i, j] for table in tables for j in range(number)) for i in range(number)]
            successes.append(truth[int(np.argmax(points))])
            by_structure.append(truth[int(np.argmax([sum(tables[0, i, :number]) for i in range(number)]))])
        assert figures["judge"][number]["rate"] == np.mean(successes)
        assert figures["structure"][number]["rate"] == np.mean(by_structure)
        assert figures["oracle"][number]["rate"] == np.mean([any(truth[:number]) for truth in right])
        assert figures["chance"][number]["rate"] == pytest.approx(right[:, :number].mean())


def test_everybody_is_equal_where_there_is_no_choice(right):
    figures = by_number(right, contests_by(np.zeros((50, 2, MOST))), DIMENSIONS)
    assert len({figures[chooser][1]["rate"] for chooser in figures}) == 1


def test_a_share_has_the_interval_of_one_edit_of_each_example():
    verdicts = np.array([1.0, 0.0, 1.0, 1.0])
    assert share(verdicts) == pytest.approx(rate(verdicts))
    assert share(np.array([1.0, 0.5, 1.0, 0.5])) == pytest.approx(rate(verdicts))


def test_tries_differ_in_their_noise_and_stand_with_their_example(monkeypatch):
    monkeypatch.setattr(
        best_of, "edit_examples", lambda pipe, examples: [(each.seed, each.prompt) for each in examples]
    )
    monkeypatch.setattr(
        best_of,
        "score_all",
        lambda examples, edits: [{"success": each.prompt == one.prompt} for each in examples],
    )
    one, other = (example("fill", seed) for seed in (3, 4))
    right, edits = best_of.tries(None, [one, other], 3)
    assert right.tolist() == [[True] * 3, [False] * 3]
    assert [[prompt for _, prompt in row] for row in edits] == [[one.prompt] * 3, [other.prompt] * 3]
    assert len({seed for row in edits for seed, _ in row}) == 6
