"""How pytest compares notebooks: kernels frozen as when outputs were stored, pictures by fingerprint.

nbval compares texts exactly and leaves pictures out, for their bytes differ from one machine to the next.
Here a picture is compared by the mean colours of its cells: a wrong one fails, another rounding does not, nor do
labels that another matplotlib sets a few pixels apart.
"""

import base64
import io
import os
from itertools import product
from unittest import mock

import numpy as np
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile
from PIL import Image

from onereward_nb.environment import FROZEN

CELL = 16  # pixels; an object in a small picture covers several cells
TOLERANCE = 24  # levels of 255 by which a colour of one cell may differ
DRIFT = 2  # levels by which the colours of all cells may differ on average
SHIFT = 8  # pixels by which a cell may have moved, half its side


class Fingerprint(str):
    """The mean colours of a picture's cells. Equal to another of the same size that is close enough.

    It is a str, the picture in words, because nbval puts what it compares into its messages.
    """

    def __new__(cls, encoded):
        picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
        self = super().__new__(cls, f"picture of {picture.width} x {picture.height} pixels")
        self.picture = picture
        return self

    def colours(self, right=0, down=0):
        """The mean colours of the cells of the picture, or of the picture moved by some pixels: float array."""
        cells = [max(1, round(side / CELL)) for side in self.picture.size]
        moved = Image.new("RGB", self.picture.size)
        moved.paste(self.picture)  # where the picture has moved away, its border stays
        moved.paste(self.picture, (right, down))
        return np.asarray(moved.resize(cells, Image.Resampling.BOX), dtype=float)

    def gaps(self, other, right=0, down=0):
        """How far the cells' colours are from those of another picture, moved by some pixels."""
        return np.abs(self.colours() - other.colours(right, down))

    def least_gaps(self, other):
        """The gaps where each cell of the other picture is moved to where it fits best."""
        moves = product(range(-SHIFT, SHIFT + 1, 2), repeat=2)
        gaps = np.stack([self.gaps(other, *move) for move in moves])
        best = gaps.max(axis=3, keepdims=True).argmin(axis=0, keepdims=True)
        return np.take_along_axis(gaps, best, axis=0)[0]

    def __eq__(self, other):
        return isinstance(other, Fingerprint) and self.difference_from(other) is None

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__

    def difference_from(self, other):
        """Words for what makes two pictures differ; None if they are close enough."""
        if str(self) != str(other):
            return f"{self!s} stored, {other!s} now"
        gaps = self.gaps(other)
        if gaps.max() > TOLERANCE or gaps.mean() > DRIFT:
            gaps = self.least_gaps(other)
        if gaps.max() > TOLERANCE:
            row, column, _ = np.unravel_index(gaps.argmax(), gaps.shape)
            return (
                f"the colours around ({column * CELL}, {row * CELL}) differ by {gaps.max():.0f} levels "
                f"of 255, more than {TOLERANCE}"
            )
        if gaps.mean() > DRIFT:
            return f"all colours differ by {gaps.mean():.1f} levels of 255 on average, more than {DRIFT}"
        return None


def pytest_collectstart(collector):
    if isinstance(collector, IPyNbFile):
        collector.skip_compare = tuple(set(collector.skip_compare) - {"image/png"})


def pytest_itemcollected(item):
    if isinstance(item, IPyNbCell):
        item.sanitize = lambda value: Fingerprint(value) if is_png(value) else value
        item.output_timeout = 60  # seconds; nbval's own 5 are too few on a busy machine


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Freeze the kernel of a notebook, which starts with its first cell; leave the other tests alone."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    with mock.patch.dict(os.environ, FROZEN):
        return (yield)


def pytest_assertrepr_compare(op, left, right):
    if isinstance(left, Fingerprint) and isinstance(right, Fingerprint):
        return [f"pictures differ: {left.difference_from(right)}"]
    return None


def is_png(value):
    return isinstance(value, str) and value.startswith("iVBORw0KGgo")
