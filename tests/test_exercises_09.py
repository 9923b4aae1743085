"""The exercises of notebook 09: the folded solutions pass, plausible wrong answers are told what is wrong."""

import math

import pytest
import torch
from solutions import refused, solve

from onereward_nb.exercises.onereward_rl import check_average, check_loss, check_steps
from onereward_nb.rl import Settings

NOTEBOOK = "09_onereward_rl"


# --- exercise 1: the loss -------------------------------------------------------------------------


def test_the_solution_is_the_mean_hinge(capsys):
    assert check_loss(solve(NOTEBOOK, 1, torch=torch)["hinge"])
    assert capsys.readouterr().out.startswith("Right: a picture beyond the bound")


def stacked(chances):
    return torch.stack(list(chances.values()))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda chances, bound: 1 - stacked(chances).mean(), "it has no hinge"),
        (lambda chances, bound: bound - stacked(chances).mean(), "it has no hinge"),
        (
            lambda chances, bound: torch.relu(stacked(chances) - bound).mean(),
            "large where the reward is large",
        ),
        (lambda chances, bound: torch.tensor(0.1), "take max(0, lambda - P)"),
        (lambda chances, bound: torch.relu(bound - stacked(chances)).sum(), "it is the sum"),
        (lambda chances, bound: torch.relu(bound - stacked(chances)).mean(dim=1), "no single number"),
        (lambda chances, bound: None, "no single number"),
        *(
            (
                lambda chances, bound, mean=mean: torch.relu(bound - mean(stacked(chances))).mean(),
                "should be 0.173: a picture beyond the bound must count 0 by itself",
            )
            for mean in (torch.mean, lambda both: both.mean(dim=0), lambda both: both.mean(dim=1))
        ),
        (
            lambda chances, bound: torch.relu(bound - stacked(chances)).mean().item(),
            "it is a plain number: return a tensor with one number, so that it has a gradient",
        ),
    ],
)
def test_losses_that_err(wrong, words, capsys):
    assert refused(check_loss, wrong, words=words, capsys=capsys)


# --- exercise 2: how slow is the average? ---------------------------------------------------------


def test_the_solution_halves(capsys):
    names = solve(NOTEBOOK, 2)
    assert check_average(names["half_life"])
    for tau in (0.9, 0.95, 0.999):
        assert tau ** names["half_life"](tau) <= 0.5 < tau ** (names["half_life"](tau) - 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda tau: 1, "for tau 0.9 it says 1: then 90% of the start is left."),
        (lambda tau: math.log(0.5) / math.log(tau), "return a whole number"),
        (lambda tau: math.floor(math.log(0.5) / math.log(tau)), "for tau 0.9 it says 6"),
        (
            lambda tau: math.ceil(1 / (1 - tau)),
            "says 2: then 25% of the start is left, and half was gone after 1",
        ),
        (lambda tau: None, "return a whole number"),
    ],
)
def test_half_lives_that_err(wrong, words, capsys):
    assert refused(check_average, wrong, words=words, capsys=capsys)


# --- exercise 3: which steps? ---------------------------------------------------------------------


def test_the_solution_lists_the_steps_of_the_settings(capsys):
    gradient_steps = solve(NOTEBOOK, 3)["gradient_steps"]
    assert check_steps(gradient_steps)
    for steps, t_range in ((10, (0.6, 1.0)), (28, (0.25, 0.75)), (6, (0.5, 1.0))):
        settings = Settings(steps=steps, t_range=t_range)
        assert gradient_steps(steps, *t_range) == list(settings.gradient_steps)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda steps, t1, t2: list(range(steps)), "step 0 is not among them: the range is steps 6 to 9"),
        (
            lambda steps, t1, t2: list(range(round(t1 * steps), round(t2 * steps) + 1)),
            "step 10 is not among them",
        ),
        (lambda steps, t1, t2: list(range(round(t1 * steps) + 1, round(t2 * steps))), "step 6 is missing"),
        (lambda steps, t1, t2: list(range(round(t1 * steps), round(t2 * steps)))[::-1], "in order"),
        (lambda steps, t1, t2: [], "step 6 is missing"),
        (lambda steps, t1, t2: None, "it returns None: return a list of numbers"),
    ],
)
def test_steps_that_err(wrong, words, capsys):
    assert refused(check_steps, wrong, words=words, capsys=capsys)
