"""The exercises of notebook 07: the folded solutions pass, plausible wrong answers are told what is wrong."""

from math import ceil, sqrt

import pytest
from solutions import refused, solve

from onereward_nb.evaluation import Z
from onereward_nb.exercises.guidance_ablations import check_cheapest, check_front, check_pairs

NOTEBOOK = "07_guidance_ablations"


# --- exercise 1: the cheapest that keeps up -------------------------------------------------------


def test_the_solution_is_as_cheap_as_can_be(capsys):
    assert check_cheapest(solve(NOTEBOOK, 1)["cheapest"])
    assert capsys.readouterr().out.startswith("Right: ")


def chosen_by(rule, among=lambda rate, own: True):
    """An answer that takes the lowest by rule(passes, rate) among the settings that it lets through."""

    def cheapest(points, own, task):
        rates = {name: point["success"][task] for name, point in points.items()}
        left = [name for name in points if among(rates[name], rates[own])]
        return min(left, key=lambda name: rule(points[name]["passes"], rates[name]["rate"]))

    return cheapest


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda points, own, task: own, "'together: 6 steps, unguided' needs 6"),
        (
            chosen_by(lambda passes, rate: passes),
            "for fill it takes 'steps: 2', with 82.0%, below the interval",
        ),
        (chosen_by(lambda passes, rate: -rate), "passes, but 'together: 6 steps, unguided' needs 6"),
        (
            chosen_by(
                lambda passes, rate: (passes, -rate), among=lambda rate, own: rate["rate"] >= own["rate"]
            ),
            "unguided' needs 6",
        ),
        (
            chosen_by(
                lambda passes, rate: (passes, -rate), among=lambda rate, own: rate["low"] >= own["low"]
            ),
            "unguided' needs 6",
        ),
        (
            chosen_by(
                lambda passes, rate: (passes, -rate), among=lambda rate, own: rate["high"] >= own["low"]
            ),
            "for extend-no-prompt it takes 'steps: 2', with 36.0%, below the interval",
        ),
        (lambda points, own, task: points[own], "return the name of a setting"),
        (lambda points, own, task: None, "it returns None"),
    ],
)
def test_choices_that_lose_or_waste(wrong, words, capsys):
    assert refused(check_cheapest, wrong, words=words, capsys=capsys)


def test_of_two_at_the_same_cost_the_better_counts(monkeypatch, capsys):
    def point(passes, rate):
        return {"passes": passes, "success": {"fill": {"rate": rate, "low": rate - 0.1, "high": rate + 0.1}}}

    table = {"28": point(56, 0.9), "8": point(16, 0.85), "8, better": point(16, 0.88), "2": point(4, 0.5)}
    module = "onereward_nb.exercises.guidance_ablations"
    monkeypatch.setattr(f"{module}.load_results", lambda name: {"sweeps": {"steps": table}})
    monkeypatch.setattr(f"{module}.TASKS", ["fill"])
    first = chosen_by(lambda passes, rate: passes, among=lambda rate, own: rate["rate"] >= own["low"])
    words = "'steps: 8, better' costs the same and has 88.0%"
    assert refused(check_cheapest, first, words=words, capsys=capsys)
    assert check_cheapest(solve(NOTEBOOK, 1)["cheapest"])


# --- exercise 2: the front by hand ----------------------------------------------------------------


def test_the_solution_is_the_front(capsys):
    assert check_front(solve(NOTEBOOK, 2)["front"])
    assert capsys.readouterr().out.startswith("Right: ")


def records(points, better):
    """A walk from the cheapest to the dearest that keeps what is better than the last one kept."""
    kept = []
    for point in sorted(points):
        if not kept or better(point[1], kept[-1][1]):
            kept.append(point)
    return kept


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda points: [max(points, key=lambda point: point[1])], "leaves out (4, 79)"),
        (lambda points: [min(points)], "leaves out (8, 91)"),
        (lambda points: points, "keeps (8, 89), though (8, 91) beats it"),
        (lambda points: records(points, lambda new, old: new > old), "keeps (8, 89)"),
        (lambda points: records(points, lambda new, old: new >= old), "keeps (8, 89)"),
        (
            lambda points: [
                one for one in points if not any(other[0] < one[0] and other[1] > one[1] for other in points)
            ],
            "keeps (8, 89), though (8, 91) beats it",
        ),
        (
            lambda points: [
                one
                for one in points
                if not any(other[0] <= one[0] and other[1] >= one[1] for other in points)
            ],
            "leaves out (4, 79)",
        ),
        (lambda points: [0, 1], "return a list of these points"),
        (lambda points: [[4, 79], [8, 91]], "return a list of these points"),
        (lambda points: None, "return a list of these points"),
    ],
)
def test_fronts_that_keep_too_much_or_too_little(wrong, words, capsys):
    assert refused(check_front, wrong, words=words, capsys=capsys)


# --- exercise 3: how many pairs -------------------------------------------------------------------


def test_the_solution_knows_how_many_and_its_figure_is_right(capsys):
    names = solve(NOTEBOOK, 3, Z=Z)
    assert check_pairs(names["pairs_needed"])
    assert "481 pairs show 2 points where 5% flip" in capsys.readouterr().out
    assert ceil(names["pairs_needed"](0.05, 0.02)) == 481


def test_a_whole_number_of_pairs_is_right_too():
    assert check_pairs(lambda flips, half_width: ceil(Z**2 * flips / half_width**2))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda f, w: f / w**2, "1.96 is missing"),
        (lambda f, w: Z * f / w**2, "the 1.96 must be squared"),
        (lambda f, w: Z**2 * f / (2 * w) ** 2, "half of the interval, not all of it"),
        (lambda f, w: Z**2 * f / (w / 2) ** 2, "half of the interval already"),
        (lambda f, w: Z**2 * f / w, "the half-width must be squared"),
        (lambda f, w: 2 * Z**2 * f * (1 - f) / w**2, "two separate groups"),
        (lambda f, w: Z**2 * f * (1 - f) / w**2, "a change is -1, 0 or 1"),
        (lambda f, w: Z**2 * sqrt(f) / w**2, "the standard deviation stands where"),
        (lambda f, w: Z**2 * f**2 / w**2, "the variance is the share of flips itself"),
        (lambda f, w: Z**2 / w**2, "it says 9,604"),
        (lambda f, w: None, "return a number of pairs"),
        (lambda f, w: -1, "return a number of pairs"),
    ],
)
def test_other_numbers_are_told_what_went_wrong(wrong, words, capsys):
    assert refused(check_pairs, wrong, words=words, capsys=capsys)
