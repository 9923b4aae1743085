"""What the oracle sees in a picture: where things stand, of which kind and colour, and which word is written."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from .. import masks
from .reader import FIRST_THING, LETTERS, SIZE
from .scenes import COLOURS, KINDS

SPECK = 24  # pixels: anything smaller is no thing


class Reading(NamedTuple):
    """One picture as the oracle sees it, at 128x128: pixels (float, 0 to 255), class and colour of each, and the mask."""

    pixels: np.ndarray
    classes: np.ndarray
    colours: np.ndarray
    mask: np.ndarray


class Found(NamedTuple):
    """A thing that was read in a picture."""

    kind: str
    colour: str
    region: np.ndarray


def as_pixels(image):
    """(128, 128, 3) float32, 0 to 255."""
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)


def as_mask(image):
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.NEAREST)) > 127


def things_in(reading, region):
    """The things that stand in a region, the largest first: pixels of one kind together, of the colour of most.

    Pixels a few apart still belong together, upwards more than sideways: the reader misses parts of a thin stem.
    """
    found = []
    labels = np.unique(reading.classes[region])
    for label in labels[labels >= FIRST_THING]:
        standing = (reading.classes == label) & region
        nearby = Image.fromarray(standing.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur((1, 3)))
        pieces = connected(np.asarray(nearby) > 0) * standing
        for piece in (pieces == number for number in np.unique(pieces[pieces > 0])):
            if piece.sum() >= SPECK:
                colour = np.bincount(reading.colours[piece]).argmax()
                found.append(Found(KINDS[label - FIRST_THING], list(COLOURS)[colour], piece))
    return sorted(found, key=lambda thing: -thing.region.sum())


def connected(region):
    """Number the connected parts of a region: int array, 0 outside. Spreads the largest number of each part over it."""
    labels = np.where(region, np.arange(1, region.size + 1).reshape(region.shape), 0)
    if not region.any():
        return labels
    rows, columns = np.nonzero(region)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    labels[box] = spread(labels[box])
    return labels


def spread(labels):
    """Labels, 0 for none, where each has given way to the largest one that it touches, run by run."""
    while True:
        larger = along_runs(along_runs(labels).T).T
        if np.array_equal(larger, labels):
            return labels
        labels = larger


def along_runs(labels):
    """The largest label of each unbroken run in a row, all over the run."""
    height, width = labels.shape
    flat = np.pad(labels, ((0, 0), (0, 1))).ravel()  # a 0 ends each row
    starts = np.flatnonzero(np.diff(flat > 0, prepend=flat[0] == 0))
    lengths = np.diff(starts, append=flat.size)
    return np.repeat(np.maximum.reduceat(flat, starts), lengths).reshape(height, width + 1)[:, :-1]


def grown(region, pixels=2):
    return np.asarray(masks.grow(Image.fromarray(region.astype(np.uint8) * 255), pixels)) > 0


def shrunk(region, pixels):
    """The region without its border; edges of the picture are no border."""
    return np.asarray(masks.shrink(Image.fromarray(region.astype(np.uint8) * 255), pixels)) > 0


def spell(chances):
    """The likeliest word: letters up to the first empty place."""
    letters = (LETTERS + " ")[: len(LETTERS) + 1]
    return "".join(letters[i] for i in chances.argmax(-1)).rstrip().partition(" ")[0]


def darker_than_face(pixels, mask):
    """The ink on a sign: pixels of the mask that are darker than halfway from its darkest to its brightest."""
    grey = pixels.mean(axis=2)
    low, high = np.percentile(grey[mask], (2, 95))
    return mask & (grey < (low + high) / 2)
