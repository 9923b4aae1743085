"""The exercises of notebook 08: the folded solutions pass, plausible wrong answers are told what is wrong."""

import numpy as np
import pytest
import torch
from solutions import refused, solve

from onereward_nb.exercises.reward_model import check_choice, check_strengths, check_temperature

NOTEBOOK = "08_reward_model"


# --- exercise 1: fewer questions ------------------------------------------------------------------


def test_the_solution_needs_as_few_questions_as_it_may(capsys):
    assert check_choice(solve(NOTEBOOK, 1)["choose"])
    assert capsys.readouterr().out.startswith("Right: the best one")


def all_meetings(n, better):
    return int(np.argmax([sum(better(i, j) for j in range(n) if j != i) for i in range(n)]))


def neighbours_only(n, better):
    for i in range(1, n):
        if better(i - 1, i) > 0.5:
            return i - 1
    return n - 1


def the_wrong_way_round(n, better):
    worst = 0
    for i in range(1, n):
        if better(worst, i) > 0.5:
            worst = i
    return worst


def second_best(n, better):
    wins = [sum(better(i, j) for j in range(n) if j != i) for i in range(n)]
    return int(np.argsort(wins)[-2])


def beginning_with_itself(n, better):
    champion = 0
    for i in range(n):
        if better(i, champion) > 0.5:
            champion = i
    return champion


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (all_meetings, "asks 56 times: 7 are enough"),
        (neighbours_only, "of 8 edits it chooses one, and"),
        (the_wrong_way_round, "and 7 are better: the best beats"),
        (second_best, "of 8 edits it chooses one, and 1 is better"),
        (beginning_with_itself, "compares an edit with itself"),
        (lambda n, better: 0, "of 8 edits it chooses one, and"),
        (lambda n, better: n, "it returns 8: return the index"),
        (lambda n, better: None, "it returns None"),
        (lambda n, better: better(0, 1), "return the index of one, from 0 to 7"),
    ],
)
def test_choices_that_are_wrong_or_dear(wrong, words, capsys):
    assert refused(check_choice, wrong, words=words, capsys=capsys)


# --- exercise 2: temperature ----------------------------------------------------------------------


def test_the_solution_finds_the_temperature(capsys):
    assert check_temperature(solve(NOTEBOOK, 2, np=np)["temperature"])
    assert capsys.readouterr().out.startswith("Right: it finds the temperature")


@pytest.mark.parametrize("kind", [np.array, torch.tensor, np.float32])
def test_a_temperature_may_be_an_array_or_a_tensor_of_one_number(kind):
    temperature = solve(NOTEBOOK, 2, np=np)["temperature"]
    assert check_temperature(lambda chances, came_true: kind(temperature(chances, came_true)))


def fitted(chances, came_true, loss):
    logits = np.log(chances / (1 - chances))
    tries = np.geomspace(0.1, 10, 400)
    return tries[np.argmin([loss(logits / each, came_true) for each in tries])]


def misled(chances, came_true):
    """The outcomes are forgotten."""
    return fitted(chances, came_true, lambda logits, true: np.logaddexp(0, -logits).mean())


def multiplied(chances, came_true):
    sign = np.where(came_true, 1, -1)
    return 1 / fitted(chances, came_true, lambda logits, true: np.logaddexp(0, -sign * logits).mean())


def only_softer(chances, came_true):
    sign = np.where(came_true, 1, -1)
    return max(1.0, fitted(chances, came_true, lambda logits, true: np.logaddexp(0, -sign * logits).mean()))


def by_accuracy(chances, came_true):
    return fitted(chances, came_true, lambda logits, true: -((logits > 0) == true).mean())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda chances, came_true: 1.0, "for a judge that is too sure it finds 1.00, not 2.50"),
        (multiplied, "divided by the temperature, not multiplied"),
        (only_softer, "not sure enough it finds 1.00, not 0.60"),
        (by_accuracy, "take the one with the smallest loss"),
        (misled, "for a judge that is too sure it finds"),
        (lambda chances, came_true: chances / 2.5, "a temperature is a number above 0"),
        (lambda chances, came_true: -1.0, "it returns -1.0"),
        (lambda chances, came_true: float("nan"), "a number above 0"),
        (lambda chances, came_true: None, "it returns None"),
    ],
)
def test_temperatures_that_leave_the_judge_as_wrong(wrong, words, capsys):
    assert refused(check_temperature, wrong, words=words, capsys=capsys)


# --- exercise 3: Bradley–Terry --------------------------------------------------------------------


def test_the_solution_fits_any_table(capsys):
    strengths = solve(NOTEBOOK, 3, np=np)["strengths"]
    assert check_strengths(strengths)
    assert check_strengths(lambda wins: strengths(wins) + 5)  # only differences count
    assert capsys.readouterr().out.count("Right: the scores fit") == 2


def fails_on_the_second_table():
    tables = []

    def strengths(wins):
        tables.append(wins)
        return mean_logit(wins) * (1 if len(tables) % 2 else np.nan)

    return strengths


def mean_logit(wins):
    return np.log(wins / (1 - wins)).mean(axis=1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda wins: wins.mean(axis=1), "the order is right and the differences are not"),
        (lambda wins: wins.mean(axis=0), "its order is another"),
        (lambda wins: -mean_logit(wins), "its order is another"),
        (lambda wins: 2 * mean_logit(wins), "the differences are not"),
        (mean_logit, "where the table contradicts itself"),
        (lambda wins: wins, "it must return 6 numbers"),
        (lambda wins: 0.0, "it must return 6 numbers"),
        (lambda wins: np.full(6, np.nan), "it must return 6 numbers"),
        (fails_on_the_second_table(), "contradicts itself, it must return 6 numbers as well"),
    ],
)
def test_scores_that_fit_badly(wrong, words, capsys):
    assert refused(check_strengths, wrong, words=words, capsys=capsys)
