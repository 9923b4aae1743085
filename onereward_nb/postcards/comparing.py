"""Comparing pixels and words with the truth: every value lies between 0 and 1, 1 for no difference."""

import numpy as np

from .reading import shrunk

NEAR = 16.0  # grey levels of 255: two colours that differ less look alike
SEEN_AT_A_SEAM = 8.0  # less is seen where two colours meet
RING = 3  # pixels: how far into the mask a seam shows


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
    """The smaller of both pictures' mean differences between neighbours over the larger: 1 for the same amount of detail."""
    if not region.any():
        return 1.0
    amounts = []
    for picture in (pixels, target):
        grey = picture.mean(axis=2)
        detail = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(
            np.diff(grey, axis=1, append=grey[:, -1:])
        )
        amounts.append(detail[region].mean() + 0.5)
    return float(min(amounts) / max(amounts))


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
