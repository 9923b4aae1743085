"""The exercises of notebook 10: the folded solutions pass, plausible wrong answers are told what is wrong."""

import numpy as np
import pytest
from solutions import refused, solve

from onereward_nb import evaluation
from onereward_nb.evaluation import load_results, mean_interval, sign_test, wilson
from onereward_nb.exercises.evaluation import check_by_pictures, check_holm, check_possible

NOTEBOOK = "10_evaluation"


# --- exercise 1: a percentage that cannot be ------------------------------------------------------


def test_the_solution_knows_what_cannot_be(capsys):
    names = solve(NOTEBOOK, 1)
    assert check_possible(names["possible"])
    assert "no whole number of 130 votes makes 45.22%" in capsys.readouterr().out
    # what the solution says of table 2
    paper = load_results("paper")["systems"]
    assert names["fills"] == [figures["usability"] for figures in paper["tasks"]["fill"].values()]
    assert (paper["images"]["fill"], paper["raters"]) == (130, 40)
    assert not any(names["one_verdict"]) and sum(names["all_raters"]) == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda percent, votes: True,
            "says yes to 45.22% of 130 votes, but the votes next to it make 44.62% or",
        ),
        (lambda percent, votes: False, "says no to 33.33% of 3 votes, but 1 of 3 are 33.3333%"),
        (lambda percent, votes: (percent / 100 * votes).is_integer(), "says no to 33.33% of 3 votes"),
        (lambda percent, votes: 100 * int(percent / 100 * votes) / votes == percent, "says no to 33.33%"),
        (
            lambda percent, votes: round(100 * int(percent / 100 * votes) / votes, 2) == percent,
            "says no to 33.33% of 3 votes",
        ),
        (
            lambda percent, votes: round(100 * round(percent / 100 * votes) / votes, 1) == round(percent, 1),
            "says yes to 66.66% of 3 votes, but the votes next to it make 33.33% or 66.67%",
        ),
        (lambda percent, votes: percent, "return True or False"),
        (lambda percent, votes: None, "it returns None"),
    ],
)
def test_answers_that_let_too_much_or_too_little_be(wrong, words, capsys):
    assert refused(check_possible, wrong, words=words, capsys=capsys)


# --- exercise 2: which claims stand together ------------------------------------------------------


def test_the_solution_lets_stand_what_stands(capsys):
    assert check_holm(solve(NOTEBOOK, 2)["stand"])
    assert capsys.readouterr().out.startswith("Right: one false claim in twenty such tables")


def test_what_the_solution_says_of_the_claims_of_section_4():
    claims = {
        (name, task): sign_test(
            *(round(parts[key]["rate"] * parts[key]["examples"]) for key in ("good", "bad"))
        )
        for name, by_task in load_results("comparison")["against the base"].items()
        for task, parts in by_task.items()
    }
    standing = solve(NOTEBOOK, 2)["stand"](claims)
    assert (len(claims), len(standing)) == (20, 12)
    assert {claim for claim, p in claims.items() if p < 0.05} - set(standing) == {
        ("postcard-fill-distilled", "removal"),
        ("postcard-fill-onereward", "text"),
    }


def up_to(limit):
    """Claims whose p is at most limit(how many claims there are, how many smaller ones)."""

    def stand(claims):
        places = {claim: place for place, claim in enumerate(sorted(claims, key=claims.get))}
        return [claim for claim, p in claims.items() if p <= limit(len(claims), places[claim])]

    return stand


def hochberg(claims):
    """From the largest downwards: what comes after the first that fits stands too."""
    ordered = sorted(claims, key=claims.get)
    for place in reversed(range(len(ordered))):
        if claims[ordered[place]] <= 0.05 / (len(ordered) - place):
            return ordered[: place + 1]
    return []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (up_to(lambda count, place: 0.05), "it lets a stand: 0.03 is more than 0.05 / 3"),
        (up_to(lambda count, place: 0.05 / count), "it leaves out b, whose 0.02 is at most 0.05 / 2"),
        (up_to(lambda count, place: 0.05 * (place + 1) / count), "it lets"),
        (up_to(lambda count, place: 0.05 / (count - place)), "a smaller one failed before it"),
        (hochberg, "it lets"),
        (lambda claims: [], "it leaves out a, whose 0.04 is at most 0.05 / 1"),
        (lambda claims: list(claims), "it lets"),
        (lambda claims: list(claims.values()), "return a list of the claims"),
        (lambda claims: None, "it returns None"),
    ],
)
def test_claims_too_many_or_too_few(wrong, words, capsys):
    assert refused(check_holm, wrong, words=words, capsys=capsys)


# --- exercise 3: people are not pictures ----------------------------------------------------------


def test_the_solution_is_as_wide_as_other_pictures_make_it(capsys):
    assert check_by_pictures(solve(NOTEBOOK, 3, evaluation=evaluation)["interval"])
    assert capsys.readouterr().out.startswith("Right: as wide as other pictures")


def test_a_bootstrap_over_pictures_is_right_too():
    def bootstrapped(votes):
        rng, means = np.random.default_rng(0), votes.mean(axis=1)
        drawn = rng.choice(means, (4000, len(means))).mean(axis=1)
        return tuple(np.quantile(drawn, [0.025, 0.975]))

    assert check_by_pictures(bootstrapped)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda votes: wilson(int(votes.sum()), votes.size), "as if each were on another picture"),
        (lambda votes: mean_interval(votes.ravel()), "as if each were on another picture"),
        (lambda votes: mean_interval(votes.mean(axis=0)), "from rater to rater"),
        (lambda votes: mean_interval(votes.mean(axis=1) > 0.5), "throws away how many agreed"),
        (lambda votes: wilson(int(votes[:, 0].sum()), len(votes)), "throws away how many agreed"),
        (lambda votes: wilson(votes.mean() * len(votes), len(votes)), "throws away how many agreed"),
        (lambda votes: (0.0, 1.0), "its middle is"),
        (lambda votes: (votes.mean() - 0.4, votes.mean() + 0.4), "80.0 points wide, not"),
        (lambda votes: tuple(100 * end for end in mean_interval(votes.mean(axis=1))), "its middle is"),
        (lambda votes: mean_interval(votes.mean(axis=1))[::-1], "return the lower and the upper end"),
        (lambda votes: votes.mean(), "return the lower and the upper end"),
        (lambda votes: None, "it returns None"),
    ],
)
def test_other_intervals_are_told_what_they_are(wrong, words, capsys):
    assert refused(check_by_pictures, wrong, words=words, capsys=capsys)
