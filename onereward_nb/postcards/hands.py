"""Masks as hands draw them: loose boxes, ovals, brush strokes and blobs, and the margins of an extension.

All are PIL images of mode L, 255 where the picture is to be made anew.
"""

import numpy as np
from PIL import Image, ImageFilter

from .. import masks


def around(shape, rng):
    """A hand-drawn mask that covers a shape, in one of four manners.

    shape: mode L, 255 where there is something to be covered.
    """
    draw = rng.choice((loose_box, oval, brush, blob), p=(0.4, 0.15, 0.2, 0.25))
    return masks.union(draw(shape, rng), masks.grow(shape, round(0.012 * shape.width)))


def padded_box(shape, rng, least=0.02, most=0.10):
    """The bounding box of a shape, wider on each side by a random share of the picture's side."""
    side = shape.width
    left, top, right, bottom = shape.getbbox()
    pad = (rng.uniform(least, most, 4) * side).round().astype(int).tolist()
    return max(0, left - pad[0]), max(0, top - pad[1]), min(side, right + pad[2]), min(side, bottom + pad[3])


def loose_box(shape, rng):
    return masks.box(shape, *padded_box(shape, rng))


def oval(shape, rng):
    left, top, right, bottom = padded_box(shape, rng, 0.0, 0.06)
    wide, tall = round(0.18 * (right - left)), round(0.18 * (bottom - top))
    return masks.ellipse(shape, left - wide, top - tall, right + wide, bottom + tall)


def brush(shape, rng):
    """Strokes to and fro over the shape with a round brush."""
    left, top, right, bottom = padded_box(shape, rng, 0.0, 0.05)
    radius = rng.uniform(0.04, 0.08) * shape.width
    path = []
    for row, height in enumerate(np.arange(top, bottom + radius, 1.3 * radius)):
        ends = (left, right) if row % 2 else (right, left)
        path += [(x + rng.normal(0, 0.4 * radius), height + rng.normal(0, 0.3 * radius)) for x in ends]
    return masks.stroke(shape, path, 2 * radius)


def blob(shape, rng):
    """The outline of the shape, followed loosely."""
    radius = rng.uniform(0.03, 0.07) * shape.width
    soft = masks.grow(shape, round(1.5 * radius)).filter(ImageFilter.GaussianBlur(radius))
    return soft.point(lambda value: 255 * (value > 110))


def margins(size, sides):
    """A mask over the margins: sides is (left, top, right, bottom), each a share of the picture's side."""
    left, top, right, bottom = (round(share * size) for share in sides)
    mask = Image.new("L", (size, size), 255)
    mask.paste(0, (left, top, size - right, size - bottom))
    return mask


def random_sides(rng):
    """Margins on one to four sides, 20% to 45% of the picture's side each, a little less where two that face
    each other would leave less than 40% in the middle."""
    chosen = rng.permutation(4)[: rng.integers(1, 5)]
    sides = np.zeros(4)
    sides[chosen] = rng.uniform(0.20, 0.45, len(chosen))
    for one, other in ((0, 2), (1, 3)):
        if sides[one] + sides[other] > 0.6:
            sides[[one, other]] *= 0.6 / (sides[one] + sides[other])
    return tuple(sides)
