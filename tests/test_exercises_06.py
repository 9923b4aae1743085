"""The exercises of notebook 06: the folded solutions pass, plausible wrong answers are told what is wrong."""

import math

import pytest
import torch
from solutions import refused, solve

from onereward_nb import toy
from onereward_nb.exercises.true_cfg import check_classifier, check_interval, check_rule

NOTEBOOK = "06_true_cfg"


def log_chance(x, sigma):
    """As section 4 has it."""
    return toy.ORANGE.log_density(x, sigma) - toy.EVERYTHING.log_density(x, sigma) - math.log(2)


# --- exercise 1: no pass for nothing --------------------------------------------------------------


def test_the_solution_asks_for_what_counts(capsys):
    assert check_rule(solve(NOTEBOOK, 1)["rule"])
    assert capsys.readouterr().out.startswith("Right: two predictions where both count")


def wasteful(v_pos, v_neg, scale):
    positive, negative = v_pos(), v_neg()
    return negative + scale * (positive - negative)


def other_spelling(v_pos, v_neg, scale):
    positive = v_pos()
    return positive + scale * (positive - v_neg())


def swapped(v_pos, v_neg, scale):
    positive = v_pos()
    return positive + scale * (v_neg() - positive)


def never_guided(v_pos, v_neg, scale):
    return v_pos()


def off_below_one(v_pos, v_neg, scale):
    return v_pos() if scale <= 1 else wasteful(v_pos, v_neg, scale)


def saving_at_one_only(v_pos, v_neg, scale):
    return v_pos() if scale == 1 else wasteful(v_pos, v_neg, scale)


def asking_again(v_pos, v_neg, scale):
    return v_neg() + scale * (v_pos() - v_neg())


def a_mixture(v_pos, v_neg, scale):
    return (v_pos() + scale * v_neg()) / (1 + scale)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (wasteful, "at scale 1 it asks for the negative prediction"),
        (other_spelling, "at scale 4 the velocity is wrong: this is the other spelling"),
        (swapped, "it moves towards the negative prediction"),
        (never_guided, "this is v_pos, without guidance"),
        (off_below_one, "at scale 0.5 the velocity is wrong"),
        (saving_at_one_only, "at scale 0 it asks for the positive prediction"),
        (asking_again, "at scale 4 it asks 3 times"),
        (a_mixture, "it should be v_neg + scale (v_pos - v_neg)"),
        (lambda v_pos, v_neg, scale: None, "it returns no velocity"),
        (lambda v_pos, v_neg, scale: wasteful(v_pos, v_neg, scale).mean(), "it returns no velocity"),
    ],
)
def test_rules_that_err_or_waste(wrong, words, capsys):
    assert refused(check_rule, wrong, words=words, capsys=capsys)


# --- exercise 2: guidance by a classifier ---------------------------------------------------------


def test_the_solution_guides_as_two_predictions_do(capsys):
    names = solve(NOTEBOOK, 2, torch=torch, toy=toy, log_chance=log_chance)
    assert check_classifier(names["by_classifier"])
    assert capsys.readouterr().out.startswith("Right: ")


def gradient(x, sigma, function=log_chance):
    at = x.clone().requires_grad_()
    return torch.autograd.grad(function(at, sigma).sum(), at)[0]


def pushed(factor, **options):
    """An answer that pushes by the gradient times a factor of sigma and scale."""

    def velocity(x, sigma, scale):
        return toy.EVERYTHING.velocity(x, sigma) + factor(sigma, scale) * gradient(x, sigma, **options)

    return velocity


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, sigma, scale: toy.EVERYTHING.velocity(x, sigma), "it is not guided"),
        (lambda x, sigma, scale: toy.ORANGE.velocity(x, sigma), "nothing is left of the classifier"),
        (pushed(lambda sigma, scale: scale * sigma / (1 - sigma)), "pushes away from orange"),
        (
            pushed(lambda sigma, scale: -scale),
            "noise level 0.8 and scale 1 the push points the right way, and is 0.25",
        ),
        (pushed(lambda sigma, scale: -scale * sigma), "is 0.50 times as long"),
        (pushed(lambda sigma, scale: -sigma / (1 - sigma)), "nothing is left of the classifier"),
        (
            pushed(lambda sigma, scale: (1 - scale) * sigma / (1 - sigma)),
            "nothing is left of the classifier",
        ),
        (
            pushed(
                lambda sigma, scale: -scale * sigma / (1 - sigma),
                function=lambda x, sigma: log_chance(x, sigma).exp(),
            ),
            "take the gradient of log_chance",
        ),
        (lambda x, sigma, scale: log_chance(x, sigma), "it returns no velocity"),
    ],
)
def test_other_pushes_are_told_where_they_go(wrong, words, capsys):
    assert refused(check_classifier, wrong, words=words, capsys=capsys)


# --- exercise 3: sharp and diverse ----------------------------------------------------------------


def test_both_intervals_of_the_solution_are_sharp_and_diverse(capsys):
    names = solve(NOTEBOOK, 3)
    assert check_interval(names["start_at"], names["stop_at"])
    assert check_interval(0.2, 0.1)
    assert capsys.readouterr().out.count("Right: ") == 2


@pytest.mark.parametrize(
    ("start", "stop", "words"),
    [
        (1.0, 0.0, "let them choose alone"),
        (1.0, 0.5, "let them choose alone"),
        (0.6, 0.4, "let them choose alone"),
        (0.05, 0.0, "guide for longer"),
        (0.995, 0.985, "guide for longer"),
        (0.0, 0.3, "two noise levels"),
        (0.3, 0.3, "two noise levels"),
        (28, 14, "two noise levels"),
        (None, 0.0, "two noise levels"),
    ],
)
def test_intervals_that_blunt_or_narrow(start, stop, words, capsys):
    assert refused(check_interval, start, stop, words=words, capsys=capsys)
