"""The two-dimensional world: its formulas against autograd, finite differences and Monte Carlo."""

import math

import pytest
import torch
from torch.testing import assert_close

from onereward_nb import toy

LEVELS = [0.05, 0.3, 0.6, 0.95]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


@pytest.fixture
def mixture(generator):
    """Blobs of no particular shape."""
    return toy.Mixture(toy.normal(5, generator), 0.4)


def grid(side, count):
    """Evenly spread points of a square around the origin, and the area that each stands for."""
    ticks = torch.linspace(-side, side, count, dtype=torch.float64)
    return torch.cartesian_prod(ticks, ticks), (2 * side / (count - 1)) ** 2


@pytest.mark.parametrize("sigma", [0.0, *LEVELS])
def test_the_density_sums_to_one(mixture, sigma):
    points, area = grid(8, 300)
    assert mixture.log_density(points, sigma).exp().sum().item() * area == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("sigma", [0.0, *LEVELS])
def test_the_density_is_that_of_noisy_points(mixture, generator, sigma):
    """The share of drawn points in boxes, against the density in their middles."""
    noisy = (1 - sigma) * mixture.draw(400_000, generator) + sigma * toy.normal(400_000, generator)
    for middle in toy.normal(6, generator):
        drawn = ((noisy - middle).abs() < 0.05).all(1).double().mean() / 0.1**2
        assert drawn == pytest.approx(
            mixture.log_density(middle[None], sigma).exp().item(), rel=0.15, abs=0.01
        )


@pytest.mark.parametrize("sigma", LEVELS)
def test_the_velocity_is_the_mean_of_noise_minus_clean(mixture, generator, sigma):
    clean, noise = mixture.draw(300_000, generator), toy.normal(300_000, generator)
    noisy = (1 - sigma) * clean + sigma * noise
    for place in noisy[:4]:
        near = (noisy - place).square().sum(1) < 0.05**2
        mean = (noise - clean)[near].mean(0)
        error = (noise - clean)[near].std(0) / math.sqrt(near.sum())
        # beside chance, the velocity changes a little within the disc
        assert_close(
            mixture.velocity(place[None], sigma)[0], mean, rtol=0, atol=5 * error.max().item() + 0.02
        )


@pytest.mark.parametrize("sigma", LEVELS)
def test_velocity_and_score_are_linked(mixture, generator, sigma):
    x = toy.normal(50, generator).requires_grad_()
    score = torch.autograd.grad(mixture.log_density(x, sigma).sum(), x)[0]
    assert_close(mixture.velocity(x, sigma), -(x + sigma * score) / (1 - sigma))


def test_at_pure_noise_the_velocity_leads_to_the_mean(mixture, generator):
    noise = toy.normal(10, generator)
    assert_close(mixture.velocity(noise, 1.0), noise - mixture.centres.mean(0))


def test_the_density_follows_the_flow(mixture, generator):
    """Fokker and Planck: dp/dsigma = -div(p v), by finite differences."""
    x, sigma, h = toy.normal(20, generator), 0.4, 1e-5
    over_time = (mixture.log_density(x, sigma + h).exp() - mixture.log_density(x, sigma - h).exp()) / (2 * h)

    def current(x):
        return mixture.log_density(x, sigma).exp()[:, None] * mixture.velocity(x, sigma)

    steps = h * torch.eye(2, dtype=torch.float64)
    divergence = sum(
        (current(x + step) - current(x - step))[:, axis] / (2 * h) for axis, step in enumerate(steps)
    )
    assert_close(over_time, -divergence, rtol=1e-4, atol=1e-6)


def test_the_flow_brings_noise_to_the_mixture(mixture, generator):
    arrived = toy.flow(mixture.velocity, toy.normal(10_000, generator), torch.linspace(1, 0, 81))
    drawn = mixture.draw(10_000, generator)
    assert_close(arrived.mean(0), drawn.mean(0), rtol=0, atol=0.06)
    assert_close(arrived.T.cov(), drawn.T.cov(), rtol=0, atol=0.06)
    densities = [mixture.log_density(points).exp().mean().item() for points in (arrived, drawn)]
    assert densities[0] == pytest.approx(densities[1], rel=0.03)


def test_a_flow_takes_euler_steps():
    x = torch.ones(3, 2)
    assert_close(toy.flow(lambda x, sigma: x + sigma, x, [1.0, 0.5, 0.0]), x * (1 - 0.5 * 2 - 0.5 * 0.5))


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_guidance_is_its_formula(generator, scale):
    x = toy.normal(9, generator)
    v_pos, v_neg = toy.ORANGE.velocity(x, 0.5), toy.EVERYTHING.velocity(x, 0.5)
    rule = toy.guided(toy.ORANGE.velocity, toy.EVERYTHING.velocity, scale)
    assert_close(rule(x, 0.5), scale * v_pos + (1 - scale) * v_neg)


def test_outside_an_interval_there_is_one_prediction(generator):
    asked = []

    def negative(x, sigma):
        asked.append(sigma)
        return toy.EVERYTHING.velocity(x, sigma)

    x = toy.normal(9, generator)
    rule = toy.guided(toy.ORANGE.velocity, negative, 4.0, start=0.6, stop=0.2)
    for sigma in (0.1, 0.7):
        assert_close(rule(x, sigma), toy.ORANGE.velocity(x, sigma))
    assert asked == []
    assert not torch.equal(rule(x, 0.6), toy.ORANGE.velocity(x, 0.6))
    assert not torch.equal(rule(x, 0.2), toy.ORANGE.velocity(x, 0.2))
    assert asked == [0.6, 0.2]


def test_everything_is_both_prompts(generator):
    x = toy.normal(20, generator)
    both = torch.logaddexp(toy.ORANGE.log_density(x, 0.3), toy.BLUE.log_density(x, 0.3)) - math.log(2)
    assert_close(toy.EVERYTHING.log_density(x, 0.3), both)


def test_own_points_are_judged_right_and_a_hundredth_of_them_outside(generator):
    verdict = toy.judge(toy.ORANGE.draw(20_000, generator), toy.ORANGE, toy.BLUE)
    assert verdict["right"] > 0.95
    assert verdict["outside"] == pytest.approx(0.01, abs=0.004)
    variance = 2 * toy.ORANGE.width**2 + toy.ORANGE.centres.var(0, correction=0).sum()
    assert verdict["spread"] == pytest.approx(math.sqrt(variance), rel=0.02)


def test_the_others_points_and_far_ones_are_judged_wrong(generator):
    others = toy.judge(toy.BLUE.draw(2000, generator), toy.ORANGE, toy.BLUE)
    assert others["right"] < 0.05 and others["outside"] > 0.5
    far = toy.judge(toy.ORANGE.draw(2000, generator) + 5, toy.ORANGE, toy.BLUE)
    assert far["right"] == far["outside"] == 1
    one = toy.judge(toy.ORANGE.centres[:1].expand(9, 2), toy.ORANGE, toy.BLUE)
    assert one == {"right": 1, "spread": pytest.approx(0, abs=1e-12), "outside": 0}
