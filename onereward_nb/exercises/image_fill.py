"""Self-checks of notebook 01: one thing for another, a soft border, the chance of one right seed."""

import numpy as np

from ..images import upright
from .verdict import verdict


def check_replacement(image, example, wanted):
    """Does another thing stand where one stood, with nothing left of that one or of its shadow?

    example: of the task "removal". wanted: what is to stand there, of another kind, such as "a yellow flower".
    """
    from ..postcards import oracle, reading
    from ..postcards.comparing import gone
    from ..postcards.measure.object_removal import around, changes, thing_only
    from ..postcards.reader import load_reader

    image, old = upright(image), example.thing
    if image.size != example.image.size:
        return verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    now, before, without = map(reading.as_pixels, (image, example.image, example.target))
    changed, stood, near = map(
        reading.as_mask, (changes(example), thing_only(example), around(changes(example), 10))
    )
    if outside := (now != before).any(axis=2)[~near].mean():
        return verdict(
            False,
            f"{outside:.0%} of the pixels more than 10 away from the {old.kind} changed: mask little, "
            "mind white and black, and paste the rest back",
        )
    labels = (each[0] for each in load_reader().read_pictures([image]))
    place = near & ~reading.grown(oracle.stands_in(example.scene))
    found = reading.things_in(reading.Reading(now, *labels, near), place)
    names = [f"{'an' if thing.colour == 'orange' else 'a'} {thing.colour} {thing.kind}" for thing in found]
    if names[:1] != [wanted]:
        there = f"{names[0]} stands" if names else "the oracle recognises nothing"
        return verdict(False, f"{there} there, not {wanted}: ask for it, and leave it room")
    cleared = changed & ~reading.grown(found[0].region, 3)
    body = reading.grown(stood, 1)
    for part, name, advice in (
        (stood, old.kind, "grow the mask"),
        (body & ~stood, f"{old.kind}'s soft edge", "grow the mask"),
        (~body, f"{old.kind}'s shadow", "mask the shadow too"),
    ):
        if (left := 1 - gone(now, before, without, cleared & part)) > 0.3:
            return verdict(False, f"{left:.0%} of the {name} is still there: {advice}")
    return verdict(True, f"{wanted} stands there, and nothing is left of {old.phrase} or its shadow")


def check_blend(blend):
    """Does a function paste a painted region back with a soft border outside the mask?

    blend: takes the input picture, the painted picture, the mask and the width of the border in pixels; returns
    the picture to show.
    """
    from PIL import Image

    from .. import masks

    border = 6
    picture, painted = (Image.new("RGB", (64, 64), (grey, grey, grey)) for grey in (40, 240))
    mask = masks.box(picture, 20, 20, 44, 44)
    pasted = blend(picture, painted, mask, border)
    if getattr(pasted, "size", None) != picture.size:
        return verdict(False, f"return a picture of the input's size, {picture.size}")
    share = (
        np.asarray(upright(pasted), float)[..., 0] - 40
    ) / 200  # 0: the input's pixel, 1: the painted one
    inside, around = np.asarray(mask) > 0, np.asarray(masks.grow(mask, border)) > 0
    if share[inside].mean() < 0.5 < share[~around].mean():
        return verdict(False, "the picture is painted, and the mask is not: swap the two")
    if (changed := (share[~around] > 0.01).mean()) > 0:
        return verdict(
            False, f"{changed:.0%} of the pixels beyond the border changed: they must be the input's"
        )
    if (share[inside] < 0.99).any():
        return verdict(
            False, "masked pixels at the edge show the input: let the border begin outside the mask"
        )
    row = share[32, 44 : 44 + border]
    if not ((row > 0.01) & (row < 0.99)).any():
        return verdict(False, "the border is hard: let the picture fade from one to the other")
    if (np.diff(row) > 0.01).any():
        return verdict(False, "the fade goes up and down: it should only fall, away from the mask")
    return verdict(True, "all of the mask is painted, the border fades, and everything else is the input")


def check_chance(chance):
    """Does a function give the chance that at least one of n seeds is right?

    chance: takes how many seeds were right, how many there were, and n, the number of them to draw.
    """
    from itertools import combinations

    for right, tries, n in ((4, 4, 2), (0, 4, 3), (3, 4, 1), (1, 4, 2), (2, 4, 2), (2, 5, 3), (3, 4, 2)):
        seeds = [True] * right + [False] * (tries - right)
        draws = [any(draw) for draw in combinations(seeds, n)]
        truth, answer = sum(draws) / len(draws), chance(right, tries, n)
        case = f"with {right} of {tries} seeds right and {n} drawn"
        if answer is None or not 0 <= answer <= 1:
            return verdict(False, f"{case}, it gives {answer}: a chance lies between 0 and 1")
        if np.isclose(answer, truth):
            continue
        if np.isclose(answer, 1 - truth):
            return verdict(False, f"{case}, it gives the chance that none is right: take it from 1")
        hint = "count the draws in which none is right"
        if np.isclose(answer, 1 - (1 - right / tries) ** n):
            hint = "this draws the same seed more than once"
        return verdict(False, f"{case}, the chance is {truth:.2f}, not {answer:.2f}: {hint}")
    return verdict(True, "the chance is right, from no right seed to all")
