"""Comparing pixels and words with the truth: every value lies between 0 and 1, 1 for no difference."""

import numpy as np

from .reading import shrunk

NEAR = 16.0  # grey levels of 255: two colours that differ less look alike
SEEN_AT_A_SEAM = 8.0  # less is seen where two colours meet
RING = 3  # pixels: how far into the mask a seam shows
EDGE = 4.0  # grey levels between neighbours: a sky or a lawn that changes slowly differs less
FEW_EDGES = 0.05  # grey levels a pixel beyond EDGE: a region with less has no edges
FAINT = 2.0  # grey levels: a grain that is hardly seen
UNSEEN = 0.6  # the ratio of sharpness down to which no loss is seen: 19 of 20 truths lose less in the VAE


def alike(pixels, target, region, others=(), tolerance=NEAR):
    """The share of a region's pixels that look like the target's; 1 for no region.

    others: pictures that would do as well, or any blend of the target and one of them: a fainter shadow, a haze.
    """
    if not region.any():
        return 1.0
    errors = [from_blend(pixels[region], target[region], other[region]) for other in others or [target]]
    error = np.min(errors, axis=0)
    return float((error <= tolerance).mean())


def seamless(pixels, target, mask, background, others=()):
    """The share of the background along the mask's border where no seam shows: 3 by 3 pixels on average as in the truth."""
    ring = mask & ~shrunk(mask, RING) & background
    return alike(smooth(pixels), smooth(target), ring, [smooth(other) for other in others], SEEN_AT_A_SEAM)


def from_blend(pixels, one, other):
    """How far colours (n, 3) are from the nearest blend of two others, in grey levels of the channel farthest off."""
    way = other - one
    share = ((pixels - one) * way).sum(axis=1) / np.maximum((way**2).sum(axis=1), 1e-9)
    nearest = one + np.clip(share, 0, 1)[:, None] * way
    return np.abs(pixels - nearest).max(axis=1)


def smooth(pixels):
    """The mean of each pixel and its eight neighbours, channel by channel."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9


def gone(pixels, before, after, region):
    """The share of a region's pixels that are nearer to how it should be than to how it was; 1 for no region."""
    if not region.any():
        return 1.0
    nearer = np.abs(pixels - after).sum(axis=2) < np.abs(pixels - before).sum(axis=2)
    return float(nearer[region].mean())


def crispness(pixels, target, region):
    """How alike two pictures are in the sharpness of their edges and in their grain, 0 to 1; 1 for no region.

    Neither asks how much there is to see: a larger thing, or a cloud more, is no less beautiful. And what is hardly
    seen costs nothing, such as what the VAE softens.
    """
    if not region.any():
        return 1.0
    sharp, as_sharp = sharpness(pixels, region), sharpness(target, region)
    if as_sharp is None and sharp is not None:  # then the whole of the target has to do
        as_sharp = sharpness(target, np.ones_like(region))
    likeness = 1.0 if as_sharp is None else ratio(sharp or 0.0, as_sharp)
    calm = ratio(grain(pixels, region) + FAINT, grain(target, region) + FAINT)
    return min(1.0, likeness * calm / UNSEEN)


def sharpness(pixels, region):
    """The share of a region's edges that a blur takes away: little where they are blurred already. None without edges.

    After Crete et al., The blur effect, 2007.
    """
    steps, softened = (
        np.maximum(differences(picture)[:, region] - EDGE, 0) for picture in (pixels, smooth(pixels))
    )
    if steps.sum() < FEW_EDGES * region.sum():
        return None
    return float(np.maximum(steps - softened, 0).sum() / steps.sum())


def grain(pixels, region):
    """How much pixels differ from their neighbours where nothing is, in grey levels: in the calm quarter of a region."""
    return float(np.quantile(differences(pixels).sum(axis=0)[region], 0.25))


def differences(pixels):
    """How much each pixel differs from the one below and from the one to the right: (2, height, width), grey levels."""
    grey = pixels.mean(axis=2)
    return np.abs([np.diff(grey, axis=axis, append=grey.take([-1], axis=axis)) for axis in (0, 1)])


def ratio(one, other):
    """The smaller of two numbers over the larger, neither below 0: 1 where they are equal."""
    return min(one, other) / max(one, other) if one != other else 1.0


def overlap(a, b):
    """Intersection over union of two regions, 0 to 1."""
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


def edit_distance(a, b):
    """Levenshtein's: the fewest letters to put in, take out or change."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != other))
    return row[-1]


def agreement(found, things):
    """F1 of the things that stand in a picture against those that its caption names, by kind and colour."""
    named = [(thing.kind, thing.colour) for thing in things]
    right = 0
    for thing in found:
        if (thing.kind, thing.colour) in named:
            named.remove((thing.kind, thing.colour))
            right += 1
    total = len(found) + len(things)
    return 2 * right / total if total else 1.0
