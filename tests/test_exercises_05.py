"""The exercises of notebook 05: the folded solutions pass, plausible wrong answers are told what is wrong."""

from itertools import pairwise

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from solutions import solve

from onereward_nb.exercises.inside_the_pipeline import (
    check_ends,
    check_place,
    check_solver,
    gaussian_velocity,
)

NOTEBOOK = "05_inside_the_pipeline"


# --- exercise 1: both ends of the line ------------------------------------------------------------


def test_the_solution_finds_both_ends(capsys):
    assert check_ends(solve(NOTEBOOK, 1)["both_ends"])
    assert "at every noise level" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, v, sigma: (x - v, x), "at sigma 0.3, wrong clean latents"),  # as the notebook ships it
        (lambda x, v, sigma: (x + sigma * v, x + (1 - sigma) * v), "wrong clean latents"),
        (lambda x, v, sigma: (x - (1 - sigma) * v, x + sigma * v), "wrong clean latents"),
        (lambda x, v, sigma: (x - sigma * v, x + sigma * v), "wrong noise: it lies farther on"),
        (lambda x, v, sigma: (x - sigma * v, v), "wrong noise"),
        (lambda x, v, sigma: (x + (1 - sigma) * v, x - sigma * v), "the other way round"),
        (lambda x, v, sigma: x - sigma * v, "return two tensors"),
        (lambda x, v, sigma: (x - sigma * v, None), "of the shape of x"),
        (lambda x, v, sigma: (x - sigma * v, (x + (1 - sigma) * v)[0]), "of the shape of x"),
    ],
)
def test_ends_that_are_none(wrong, words, capsys):
    assert not check_ends(wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


# --- exercise 2: where does my pixel go? ----------------------------------------------------------


def test_the_solution_finds_every_pixel(capsys):
    assert check_place(solve(NOTEBOOK, 2)["place"])
    assert "every pixel is found" in capsys.readouterr().out


def channel(x, y):
    return (y % 8 * 8 + x % 8) * 4 + y // 8 % 2 * 2 + x // 8 % 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, y, width: (0, 0), "to token 0, that is right, and there to channel 4, not 0"),
        (  # row by row within 16 x 16
            lambda x, y, width: (y // 16 * (width // 16) + x // 16, y % 16 * 16 + x % 16),
            "there to channel 4, not 1",
        ),
        (  # the square first
            lambda x, y, width: (
                y // 16 * (width // 16) + x // 16,
                (y // 8 % 2 * 2 + x // 8 % 2) * 64 + y % 8 * 8 + x % 8,
            ),
            "there to channel 4, not 1",
        ),
        (  # rows and columns swapped within the square
            lambda x, y, width: (
                y // 16 * (width // 16) + x // 16,
                (x % 8 * 8 + y % 8) * 4 + y // 8 % 2 * 2 + x // 8 % 2,
            ),
            "there to channel 4, not 32",
        ),
        (lambda x, y, width: (x // 16 * (width // 16) + y // 16, channel(x, y)), "token 1, not 8"),
        (lambda x, y, width: (y // 16 * 8 + x // 16, channel(x, y)), "of a picture that is 64 wide"),
        (lambda x, y, width: (y // 8 * (width // 8) + x // 8, channel(x, y)), "squares of 16 by 16"),
        (lambda x, y, width: y // 16 * (width // 16) + x // 16, "return two whole numbers"),
    ],
)
def test_places_where_the_pixel_is_not(wrong, words, capsys):
    assert not check_place(wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


# --- exercise 3: a better step --------------------------------------------------------------------


def test_the_solution_beats_euler(capsys):
    assert check_solver(solve(NOTEBOOK, 3, pairwise=pairwise)["better"])
    assert "with 31 predictions each" in capsys.readouterr().out


def test_other_solvers_of_second_order_and_steps_in_place_are_right_too(capsys):
    def midpoint(velocity, x, sigmas):
        for sigma, following in pairwise(sigmas):
            middle = x + (following - sigma) / 2 * velocity(x, sigma)
            x += (following - sigma) * velocity(middle, (sigma + following) / 2)
        return x

    assert check_solver(midpoint)


def stepping(step):
    """A solver that makes step(velocity, x, sigma, following) again and again."""

    def solve(velocity, x, sigmas):
        for sigma, following in pairwise(sigmas):
            x = step(velocity, x, sigma, following)
        return x

    return solve


def euler(velocity, x, sigma, following):
    return x + (following - sigma) * velocity(x, sigma)


def the_same_x(velocity, x, sigma, following):
    return x + (following - sigma) * (velocity(x, sigma) + velocity(x, following)) / 2


def the_same_sigma(velocity, x, sigma, following):
    v = velocity(x, sigma)
    return x + (following - sigma) * (v + velocity(x + (following - sigma) * v, sigma)) / 2


def the_second_alone(velocity, x, sigma, following):
    there = euler(velocity, x, sigma, following)
    return x + (following - sigma) * velocity(there, following)


def from_there(velocity, x, sigma, following):
    there = euler(velocity, x, sigma, following)
    return there + (following - sigma) * velocity(there, following)


def the_sum(velocity, x, sigma, following):
    v = velocity(x, sigma)
    return x + (following - sigma) * (v + velocity(x + (following - sigma) * v, following))


def three_times(velocity, x, sigma, following):
    velocity(x, sigma)
    return euler(velocity, euler(velocity, x, sigma, sigma), sigma, following)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (stepping(euler), "16 velocities in 16 steps: ask for a second one"),
        (stepping(the_same_x), "twice at the same x"),
        (stepping(the_same_sigma), "twice at sigma 1.00"),
        (stepping(the_second_alone), "along the mean of both velocities"),
        (stepping(from_there), "go the whole step from the old x"),
        (stepping(the_sum), "along the mean of both velocities"),
        (stepping(three_times), "48 velocities in 16 steps: two a step have to do"),
        (lambda velocity, x, sigmas: None, "return latents"),
        (lambda velocity, x, sigmas: x, "it asks for 0 velocities"),
    ],
)
def test_steps_that_are_no_better(wrong, words, capsys):
    assert not check_solver(wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


def test_the_velocity_of_the_check_leads_to_the_answer_that_it_compares_with():
    noise = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1))
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=torch.linspace(1, 1 / 2000, 2000).tolist())
    x = noise
    for timestep in scheduler.timesteps:
        x = scheduler.step(gaussian_velocity(x, float(timestep) / 1000), timestep, x).prev_sample
    torch.testing.assert_close(x, 2 + 0.3 * noise, atol=2e-3, rtol=0)
