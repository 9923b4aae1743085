"""Self-checks of notebook 04: canvas and mask, a joint without a step, an extension with a thing."""

import numpy as np

from ..images import as_mask, upright
from .verdict import verdict

VISIBLE_STEP = 1.5  # levels of 255, mean of a column: more is seen as a seam


def check_canvas(canvas, mask, picture, left=0, top=0, right=0, bottom=0):
    """Is a picture laid on a canvas with these margins, in pixels, and does the mask paint the margins and nothing else?"""
    from ..masks import extend_canvas

    canvas, mask = upright(canvas), as_mask(mask)
    right_canvas, right_mask = extend_canvas(picture, left, top, right, bottom)
    size = right_canvas.size
    if canvas.size != size or mask.size != size:
        return verdict(
            False,
            f"canvas and mask have to be {size}, they are {canvas.size} and {mask.size}: add up the margins",
        )
    painted, margins = np.asarray(mask) > 0, np.asarray(right_mask) > 0
    if (painted == ~margins).all():
        return verdict(False, "the mask is white where the picture should stay: invert it")
    if (painted & ~margins).any():
        return verdict(False, f"the mask covers {(painted & ~margins).sum()} pixels of the known picture")
    if (margins & ~painted).any():
        return verdict(False, f"the mask leaves out {(margins & ~painted).sum()} pixels of the margins")
    moved = np.any(np.asarray(canvas) != np.asarray(right_canvas), axis=2) & ~margins
    if moved.any():
        return verdict(
            False,
            f"{moved.sum() / (~margins).sum():.0%} of the known pixels are not what they were: "
            f"the picture's corner belongs at ({left}, {top})",
        )
    return verdict(True, "the picture lies where it should, and the mask paints the margins and nothing else")


def check_joint(image, example, within):
    """Does a picture go on to the right without a step at its seam, and without a change far from it?

    example: an extension to the right. within: pixels of the known picture, next to the seam, that may change.
    """
    from ..masks import bounding_box, grow
    from ..postcards.measure.image_extend import seam_step

    image = upright(image)
    if image.size != example.image.size:
        return verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    changed = np.any(np.asarray(image) != np.asarray(example.image), axis=2)
    unknown, near = (np.asarray(mask) > 0 for mask in (example.mask, grow(example.mask, within)))
    if changed[unknown].mean() < 0.5:
        return verdict(False, "the margin is still empty: the new part belongs where the mask is white")
    if changed[~near].any():
        return verdict(
            False,
            f"{changed[~near].mean():.0%} of the pixels more than {within} pixels from the seam changed: "
            "only those next to it may",
        )
    step = seam_step(image, example)
    if step > VISIBLE_STEP:
        return verdict(
            False,
            f"near column {bounding_box(example.mask)[0]} there is a step of {step:.1f} levels more than in the truth: "
            "fade from one picture to the other",
        )
    return verdict(True, "no step is left at the seam, and the rest is untouched")


def check_extension(image, picture, side, px, thing):
    """Does a picture go on by `px` pixels on its left or right side, itself untouched, with a thing such as "red house"?"""
    from ..postcards.reader import load_reader
    from ..postcards.reading import Reading, as_pixels, things_in

    image, picture = upright(image), upright(picture)
    size = (picture.width + px, picture.height)
    if image.size != size:
        return verdict(False, f"the picture is {image.size}, {px} pixels more on one side make {size}")
    at = px if side == "left" else 0
    known = image.crop((at, 0, at + picture.width, picture.height))
    changed = np.any(np.asarray(known) != np.asarray(picture), axis=2).mean()
    if changed > 0:
        return verdict(
            False, f"{changed:.0%} of the known pixels are not what they were: they belong at ({at}, 0)"
        )
    first = 0 if side == "left" else image.width - image.height
    window = image.crop((first, 0, first + image.height, image.height))
    pixels = as_pixels(window)
    new = np.zeros(pixels.shape[:2], bool)
    share = round(px * len(new) / image.height)
    new[:, slice(0, share) if side == "left" else slice(len(new) - share, None)] = True
    classes, colours = load_reader().read_pictures([window])
    found = [
        f"{each.colour} {each.kind}" for each in things_in(Reading(pixels, classes[0], colours[0], new), new)
    ]
    if thing not in found:
        return verdict(
            False,
            f"the oracle looks for a {thing} in the new part and finds {' and '.join(found) or 'nothing'}",
        )
    return verdict(True, f"the picture goes on to the {side}, with a {thing}, and is itself untouched")
