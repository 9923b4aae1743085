"""The exercises of notebook 11: the folded solutions pass, plausible wrong answers are told what is wrong."""

import pytest
from solutions import refused, solve

from onereward_nb.exercises.full_size_flux import check_passes, check_plan, check_weights
from onereward_nb.plans import PLANS, needs, parameters

NOTEBOOK = "11_full_size_flux"


# --- exercise 1: weights in few bits --------------------------------------------------------------


def test_the_solution_weighs_what_the_plans_do(capsys):
    weights_gb = solve(NOTEBOOK, 1)["weights_gb"]
    assert check_weights(weights_gb)
    assert capsys.readouterr().out.startswith("Right: what is rounded")
    with_int8 = sum(
        weights_gb(*counts, 1.0 if part == "transformer" else 2) for part, counts in parameters().items()
    )
    assert with_int8 == pytest.approx(needs(PLANS["int8"]).system - 4.0)  # besides the Python process


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda every, some, rounded: every * rounded / 1e9, "not all parameters are rounded"),
        (lambda every, some, rounded: every * 2 / 1e9, "nothing is rounded yet"),
        (lambda every, some, rounded: some * rounded / 1e9, "the others need room too"),
        (lambda every, some, rounded: (every * 2 + some * rounded) / 1e9, "counted twice"),
        (lambda every, some, rounded: (every - some) * 2 + some * rounded, "a GB is a billion bytes"),
        (lambda every, some, rounded: ((every - some) * 2 + some * rounded) / 2**30, "that is in GiB"),
        (lambda every, some, rounded: 7.0, "add the two kinds"),
        (lambda every, some, rounded: None, "return a number"),
    ],
)
def test_weights_that_err(wrong, words, capsys):
    assert refused(check_weights, wrong, words=words, capsys=capsys)


# --- exercise 2: passes ---------------------------------------------------------------------------


def test_the_solution_counts_as_the_guider_does(capsys):
    passes = solve(NOTEBOOK, 2)["passes"]
    assert check_passes(passes)
    assert passes(50, 0, 1) == 100 and passes(50, 0, 0.5) == 75


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda steps, start, stop: 2 * steps, "outside the interval one pass is enough"),
        (
            lambda steps, start, stop: int(stop * steps) - int(start * steps),
            "the prompt's own pass is missing",
        ),
        (lambda steps, start, stop: steps + round(stop * steps) - round(start * steps), "rounded down"),
        (lambda steps, start, stop: steps * (1 + stop - start), "return a whole number"),
        (
            lambda steps, start, stop: steps,
            "50 steps, guided from 0 to 1: it says 50, the guider asks for 100",
        ),
    ],
)
def test_counts_that_err(wrong, words, capsys):
    assert refused(check_passes, wrong, words=words, capsys=capsys)


# --- exercise 3: the plan for a card --------------------------------------------------------------


def test_the_solution_picks_the_best_that_fits(capsys):
    assert check_plan(solve(NOTEBOOK, 3)["pick"])


def least(gpu, system, table):
    fitting = [name for name, need in table.items() if need.gpu <= gpu and need.system <= system]
    return fitting[-1] if fitting else None


def by_gpu(gpu, system, table):
    return next((name for name, need in table.items() if need.gpu <= gpu), None)


def by_system(gpu, system, table):
    return next((name for name, need in table.items() if need.system <= system), None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (least, "with 85.0 GB on the GPU and 128.0 GB in the system it picks 'layers': 'resident' fits too"),
        (by_gpu, "GB of the system"),
        (by_system, "that needs 39.5 GB of the GPU"),
        (lambda *_: None, "it picks None: 'resident' fits"),
        (lambda *_: "int4", "return the name of a plan, or None"),
        (lambda *_: "resident", "with 25.4 GB on the GPU"),
    ],
)
def test_picks_that_err(wrong, words, capsys):
    assert refused(check_plan, wrong, words=words, capsys=capsys)
