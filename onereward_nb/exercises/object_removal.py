"""Self-checks of notebook 03: what a mask must cover, a clean removal, a choice without the truth."""

import numpy as np

from ..images import as_mask, upright
from .verdict import verdict


def check_cover(mask, example):
    """Does a mask cover the thing that is to go, its shadow too, and nothing that is to stay?"""
    from ..postcards.measure.object_removal import changes, thing_only
    from ..postcards.rendering import silhouette

    mask = as_mask(mask)
    if mask.size != example.image.size:
        return verdict(False, f"the mask is {mask.size}, the picture {example.image.size}: they must match")
    painted, changed, thing = (np.asarray(part) > 0 for part in (mask, changes(example), thing_only(example)))
    shadow = changed & ~thing
    if painted.mean() > 0.5 and painted[thing].mean() < 0.5:
        return verdict(False, "the mask is white where the picture should stay: invert it")
    if (share := painted[thing].mean()) < 0.98:
        return verdict(False, f"the mask covers {share:.0%} of the {example.thing.kind}: grow or move it")
    if shadow.any() and (share := painted[shadow].mean()) < 0.95:
        return verdict(
            False,
            f"the {example.thing.kind} is covered, but only {share:.0%} of its shadow: go lower and wider",
        )
    for other in example.scene.things:
        if painted[np.asarray(silhouette(other, example.image.width, lit_by=example.scene)) > 0].any():
            return verdict(False, f"the mask touches {other.phrase}, which is to stay: keep away from it")
    if (times := painted.sum() / changed.sum()) > 4:
        return verdict(False, f"the mask is {times:.0f} times as large as what has to go: draw it closer")
    return verdict(True, f"the mask covers the {example.thing.kind} with its shadow, and nothing that stays")


def check_removal(image, example):
    """Is a thing gone with its shadow, nothing put in its place, and what is farther off untouched?"""
    from dataclasses import replace

    from ..postcards import reading, score
    from ..postcards.comparing import gone
    from ..postcards.measure.object_removal import around, changes, stands_instead, thing_only

    image = upright(image)
    if image.size != example.image.size:
        return verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    judge = replace(example, mask=around(changes(example), 8))
    result = score(judge, image)
    if result["outside"] > 0:
        return verdict(
            False,
            f"{result['outside']:.0%} of the pixels more than 8 away from the {example.thing.kind} changed: "
            "mask less, and paste the rest back",
        )
    name = example.thing.kind
    if kind := stands_instead([judge], [image])[0]:
        return verdict(False, f"a {kind} stands where the {name} was: nothing should")
    shadow = reading.as_mask(changes(example)) & ~reading.as_mask(thing_only(example))
    if gone(*map(reading.as_pixels, (image, example.image, example.target)), shadow) < 0.5:
        return verdict(False, f"the {name} is gone, but its shadow is still there: mask it too")
    if not result["success"]:
        return verdict(
            False,
            f"the {name} is gone, but the background does not go on (quality "
            f"{result['removal quality']:.2f}): name it in the prompt, or try another seed",
        )
    return verdict(True, f"the {name} is gone with its shadow, and the background goes on")


def check_chooser(choose):
    """Does a function find the clean removal among others, without knowing the truth?

    choose: takes a list of pictures and their mask; returns an index.
    """
    from PIL import Image

    from ..postcards import example
    from ..postcards.measure.object_removal import around, changes, thing_only

    for turn, seed in enumerate((1_000_001, 1_000_005, 1_000_010, 1_000_011)):
        ex = example("removal", seed)
        mask = around(changes(ex))
        pale = Image.blend(ex.image, ex.target, 0.5)
        shadow = Image.composite(ex.target, ex.image, as_mask(thing_only(ex)))
        wrong = {
            f"the one with {ex.thing.phrase}": ex.image,
            "the pale one": pale,
            "the one with a shadow": shadow,
        }
        names, pictures = list(wrong), list(wrong.values())
        names.insert(turn, "the clean one")
        pictures.insert(turn, ex.target)
        index = choose(pictures, mask)
        if not isinstance(index, int | np.integer) or not 0 <= index < len(pictures):
            return verdict(False, f"return the index of a picture, from 0 to {len(pictures) - 1}, as an int")
        if index != turn:
            return verdict(False, f"on {ex.scene.ground}, of {len(pictures)} it chooses {names[index]}")
    return verdict(True, "it chooses the clean picture each time, and never saw the truth")
