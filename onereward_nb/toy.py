"""Flow matching in two dimensions, where what guidance works with is known exactly.

A point stands for a picture, and a `Mixture` of round blobs for all the pictures that a prompt asks for. Its
density and its velocity at every noise level are closed formulas, so there is nothing to train.

Noise levels are as in `pipeline`: x = (1 - sigma) clean + sigma noise, with sigma from 0 (clean) to 1 (noise), and
the velocity is the mean of noise - clean over all pairs that pass through x.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import log, pi

import torch

REFERENCE = 20_000  # true points that a judgement compares with
RARE = 0.01  # the share of them that counts as outside


@dataclass(frozen=True, eq=False)
class Mixture:
    """Equally likely round Gaussian blobs. centres: (blobs, 2), float64. width: the standard deviation of each."""

    centres: torch.Tensor
    width: float

    def draw(self, count, generator):
        """`count` clean points, (count, 2)."""
        blobs = torch.randint(len(self.centres), (count,), generator=generator)
        return self.centres[blobs] + self.width * normal(count, generator)

    def log_density(self, x, sigma=0.0):
        """The logarithm of the density of noisy points, (points,), where the points x are, (points, 2)."""
        variance = self._variance(sigma)
        exponents = -self._from_centres(x, sigma).square().sum(2) / (2 * variance)
        return torch.logsumexp(exponents, dim=1) - log(2 * pi * variance * len(self.centres))

    def velocity(self, x, sigma):
        """The mean of noise - clean at the points x, (points, 2).

        Were x known to come from one blob, both means would be straight lines in x; each blob counts as much as it
        is likely at x.
        """
        variance = self._variance(sigma)
        away = self._from_centres(x, sigma)
        likely = torch.softmax(-away.square().sum(2) / (2 * variance), dim=1)
        noise = sigma / variance * away
        clean = self.centres + (1 - sigma) * self.width**2 / variance * away
        return (likely[:, :, None] * (noise - clean)).sum(1)

    def _variance(self, sigma):
        """Of a blob at a noise level, in each direction."""
        return (1 - float(sigma)) ** 2 * self.width**2 + float(sigma) ** 2

    def _from_centres(self, x, sigma):
        """From each blob's centre at a noise level to each point, (points, blobs, 2)."""
        return x[:, None] - (1 - sigma) * self.centres


# Two prompts of which each has one blob near the other's and three farther off
ORANGE = Mixture(torch.tensor([[0.15, 0.35], [0.8, 0.7], [1.5, 0.6], [1.9, 0.0]], dtype=torch.float64), 0.3)
BLUE = Mixture(-ORANGE.centres, ORANGE.width)
EVERYTHING = Mixture(torch.cat((ORANGE.centres, BLUE.centres)), ORANGE.width)


def normal(count, generator):
    """Points of pure noise, (count, 2)."""
    return torch.randn(count, 2, generator=generator, dtype=torch.float64)


def guided(v_pos, v_neg, scale, start=1.0, stop=0.0):
    """True CFG of two velocities: v_neg + scale (v_pos - v_neg), a function of points and noise level.

    start, stop: guide at noise levels from start down to stop only; elsewhere v_pos alone.
    """

    def velocity(x, sigma):
        positive = v_pos(x, sigma)
        if not stop <= sigma <= start:
            return positive
        negative = v_neg(x, sigma)
        return negative + scale * (positive - negative)

    return velocity


def flow(velocity, x, sigmas):
    """Points x carried along a velocity through falling noise levels, in Euler steps."""
    for sigma, following in pairwise(sigmas):
        x = x + (following - sigma) * velocity(x, sigma)
    return x


def judge(points, wanted, other):
    """What became of points that were to be like those of one mixture and not of the other.

    Returns {"right": the share that is more likely under `wanted` than under `other`, "spread": their standard
    deviation around their own mean, over both coordinates, "outside": the share that lies where `wanted` is less
    dense than at 99% of its own points}.
    """
    density = wanted.log_density(points)
    return {
        "right": (density > other.log_density(points)).double().mean().item(),
        "spread": (points - points.mean(0)).square().sum(1).mean().sqrt().item(),
        "outside": (density < _edge(wanted)).double().mean().item(),
    }


@cache
def _edge(mixture):
    """The logarithm of the density below which only `RARE` of a mixture's own points lie."""
    own = mixture.draw(REFERENCE, torch.Generator().manual_seed(0))
    return mixture.log_density(own).quantile(RARE)
