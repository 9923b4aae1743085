"""Self-checks of the notebooks' exercises: they compare an answer with the ground truth and say what is wrong.

Each prints one verdict and returns whether the answer is right.
"""

import numpy as np

from .images import as_mask, upright

VISIBLE_STEP = 1.5  # levels of 255, mean of a column: more is seen as a seam


def check_mask(mask, example):
    """Does a mask cover what has to change in an example, and little else?"""
    mask = as_mask(mask)
    if mask.size != example.image.size:
        return _verdict(False, f"the mask is {mask.size}, the picture {example.image.size}: they must match")
    before, after = (np.asarray(upright(picture), int) for picture in (example.image, example.target))
    changes = np.abs(before - after).max(axis=2) > 12
    painted = np.asarray(mask) > 0
    covered = (painted & changes).sum() / changes.sum()
    excess = painted.sum() / changes.sum()
    if covered < 0.5 and (~painted & changes).sum() / changes.sum() > 0.5 and painted.mean() > 0.5:
        return _verdict(False, "the mask is white where the picture should stay: invert it")
    if covered < 0.98:
        return _verdict(
            False, f"the mask covers {covered:.0%} of the pixels that have to change: grow or move it"
        )
    if excess > 6:
        return _verdict(
            False, f"the mask is {excess:.0f} times as large as what has to change: draw it closer"
        )
    return _verdict(True, "the mask covers all that has to change, and little else")


def check_edit(image, example):
    """Is an edit what its example asked for, by the oracle of the Postcard world, and everything else untouched?"""
    from .postcards import score

    image = upright(image)
    if image.size != example.image.size:
        return _verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    result = score(example, image)
    if result["outside"] > 0:
        return _verdict(
            False, f"{result['outside']:.0%} of the pixels outside the mask changed: only the mask may"
        )
    if not result["success"]:
        scores = {name: value for name, value in result.items() if name not in ("success", "outside")}
        weakest = min(scores, key=scores.get)
        return _verdict(
            False,
            f"this is not what {example.prompt!r} asks for; weakest: {weakest} at {scores[weakest]:.2f}",
        )
    return _verdict(True, f"the oracle finds {example.prompt} where it belongs")


def _verdict(right, why):
    print(("Right: " if right else "Not yet: ") + why + ".")
    return right


def check_places(share_right):
    """Does a function give the share of right letters at each place of a word?

    share_right: takes the words that were read and the words asked for, those all of one length.
    """
    from .postcards.measure.reader import right_letters

    cases = [
        (["HI", "GO", "UP"], ["HI", "GO", "UP"], "every letter is right"),
        (["HO", "HI"], ["HI", "HI"], "only the second place has a wrong letter"),
        (["EFAC", "CAFE"], ["CAFE", "CAFE"], "a letter counts only in its own place"),
        (["CAF", "", "CAFE"], ["CAFE", "CAFE", "CAFE"], "a letter that is missing is wrong too"),
        (["HIT"], ["HI"], "places are those of the word asked for"),
    ]
    for read, asked, hint in cases:
        right = [right_letters(*pair) for pair in zip(read, asked, strict=True)]
        truth = [sum(place) / len(place) for place in zip(*right, strict=True)]
        case = f"where {', '.join(read)} was read and {', '.join(asked)} asked for"
        try:
            answer = share_right(read, asked)
        except IndexError:
            return _verdict(False, f"{case}, it looks for a letter that is not there: {hint}")
        if answer is None or len(answer) != len(truth) or not np.allclose(answer, truth):
            expected = ", ".join(f"{share:.2f}" for share in truth)
            return _verdict(False, f"{case}, the shares are {expected}: {hint}")
    return _verdict(True, "the shares are right, for words with wrong, moved and missing letters too")


def check_pick(pick):
    """Does a function pick the picture whose sign comes nearest to the word asked for?

    pick: takes pictures of one sign and the sign, whose `word` was asked for; returns an index.
    """
    from dataclasses import replace

    from .postcards import example, render
    from .postcards.comparing import edit_distance

    cases = [
        (1_000_000, "HI", ["HO", "HI", "IH", "GI"]),
        (1_000_013, "GO", ["GO", "CO", "GQ"]),
        (1_000_018, "CAFE", ["XQZK", "HAZE", "WMWM", "CAFF"]),
        (1_000_018, "CAFE", ["EFAC", "CAVE", "TAXI"]),
    ]
    for seed, asked, words in cases:
        ex = example("text", seed)
        sign = replace(ex.thing, word=asked)
        signs = [replace(sign, word=word) for word in words]
        pictures = [render(ex.scene.without(ex.thing).with_things(each)) for each in signs]
        index = pick(pictures, sign)
        if not isinstance(index, int | np.integer) or not 0 <= index < len(words):
            return _verdict(False, f"return the index of a picture, from 0 to {len(words) - 1}, as an int")
        nearest = min(words, key=lambda word, asked=asked: edit_distance(word, asked))
        if words[index] != nearest:
            return _verdict(
                False, f"asked for {asked} among {', '.join(words)}, it picks {words[index]}, not {nearest}"
            )
    return _verdict(True, "it picks the word asked for, and the nearest where none is right")


def check_cover(mask, example):
    """Does a mask cover the thing that is to go, its shadow too, and nothing that is to stay?"""
    from .postcards.measure.object_removal import changes, thing_only
    from .postcards.rendering import silhouette

    mask = as_mask(mask)
    if mask.size != example.image.size:
        return _verdict(False, f"the mask is {mask.size}, the picture {example.image.size}: they must match")
    painted, changed, thing = (np.asarray(part) > 0 for part in (mask, changes(example), thing_only(example)))
    shadow = changed & ~thing
    if painted.mean() > 0.5 and painted[thing].mean() < 0.5:
        return _verdict(False, "the mask is white where the picture should stay: invert it")
    if (share := painted[thing].mean()) < 0.98:
        return _verdict(False, f"the mask covers {share:.0%} of the {example.thing.kind}: grow or move it")
    if shadow.any() and (share := painted[shadow].mean()) < 0.95:
        return _verdict(
            False,
            f"the {example.thing.kind} is covered, but only {share:.0%} of its shadow: go lower and wider",
        )
    for other in example.scene.things:
        if painted[np.asarray(silhouette(other, example.image.width, lit_by=example.scene)) > 0].any():
            return _verdict(False, f"the mask touches {other.phrase}, which is to stay: keep away from it")
    if (times := painted.sum() / changed.sum()) > 4:
        return _verdict(False, f"the mask is {times:.0f} times as large as what has to go: draw it closer")
    return _verdict(True, f"the mask covers the {example.thing.kind} with its shadow, and nothing that stays")


def check_removal(image, example):
    """Is a thing gone with its shadow, nothing put in its place, and what is farther off untouched?"""
    from dataclasses import replace

    from .postcards import reading, score
    from .postcards.comparing import gone
    from .postcards.measure.object_removal import around, changes, stands_instead, thing_only

    image = upright(image)
    if image.size != example.image.size:
        return _verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    judge = replace(example, mask=around(changes(example), 8))
    result = score(judge, image)
    if result["outside"] > 0:
        return _verdict(
            False,
            f"{result['outside']:.0%} of the pixels more than 8 away from the {example.thing.kind} changed: "
            "mask less, and paste the rest back",
        )
    name = example.thing.kind
    if kind := stands_instead([judge], [image])[0]:
        return _verdict(False, f"a {kind} stands where the {name} was: nothing should")
    shadow = reading.as_mask(changes(example)) & ~reading.as_mask(thing_only(example))
    if gone(*map(reading.as_pixels, (image, example.image, example.target)), shadow) < 0.5:
        return _verdict(False, f"the {name} is gone, but its shadow is still there: mask it too")
    if not result["success"]:
        return _verdict(
            False,
            f"the {name} is gone, but the background does not go on (quality "
            f"{result['removal quality']:.2f}): name it in the prompt, or try another seed",
        )
    return _verdict(True, f"the {name} is gone with its shadow, and the background goes on")


def check_chooser(choose):
    """Does a function find the clean removal among others, without knowing the truth?

    choose: takes a list of pictures and their mask; returns an index.
    """
    from PIL import Image

    from .postcards import example
    from .postcards.measure.object_removal import around, changes, thing_only

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
            return _verdict(False, f"return the index of a picture, from 0 to {len(pictures) - 1}, as an int")
        if index != turn:
            return _verdict(False, f"on {ex.scene.ground}, of {len(pictures)} it chooses {names[index]}")
    return _verdict(True, "it chooses the clean picture each time, and never saw the truth")


def check_replacement(image, example, wanted):
    """Does another thing stand where one stood, with nothing left of that one or of its shadow?

    example: of the task "removal". wanted: what is to stand there, of another kind, such as "a yellow flower".
    """
    from .postcards import oracle, reading
    from .postcards.comparing import gone
    from .postcards.measure.object_removal import around, changes, thing_only
    from .postcards.reader import load_reader

    image, old = upright(image), example.thing
    if image.size != example.image.size:
        return _verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    now, before, without = map(reading.as_pixels, (image, example.image, example.target))
    changed, stood, near = map(
        reading.as_mask, (changes(example), thing_only(example), around(changes(example), 10))
    )
    if outside := (now != before).any(axis=2)[~near].mean():
        return _verdict(
            False,
            f"{outside:.0%} of the pixels more than 10 away from the {old.kind} changed: mask little, "
            "mind white and black, and paste the rest back",
        )
    labels = (each[0] for each in load_reader().read_pictures([image]))
    place = near & ~reading.grown(oracle.stands_in(example.scene))
    found = reading.things_in(reading.Reading(now, *labels, near), place)
    names = [f"{'an' if thing.colour == 'orange' else 'a'} {thing.colour} {thing.kind}" for thing in found]
    if names[:1] != [wanted]:
        there = names[0] if names else "nothing"
        return _verdict(False, f"{there} stands there, not {wanted}: ask for it, and leave it room")
    cleared = changed & ~reading.grown(found[0].region, 3)
    body = reading.grown(stood, 1)
    for part, name, advice in (
        (stood, old.kind, "grow the mask"),
        (body & ~stood, f"{old.kind}'s soft edge", "grow the mask"),
        (~body, f"{old.kind}'s shadow", "mask the shadow too"),
    ):
        if (left := 1 - gone(now, before, without, cleared & part)) > 0.3:
            return _verdict(False, f"{left:.0%} of the {name} is still there: {advice}")
    return _verdict(True, f"{wanted} stands there, and nothing is left of {old.phrase} or its shadow")


def check_blend(blend):
    """Does a function paste a painted region back with a soft border outside the mask?

    blend: takes the input picture, the painted picture, the mask and the width of the border in pixels; returns
    the picture to show.
    """
    from PIL import Image

    from . import masks

    border = 6
    picture, painted = (Image.new("RGB", (64, 64), (grey, grey, grey)) for grey in (40, 240))
    mask = masks.box(picture, 20, 20, 44, 44)
    pasted = blend(picture, painted, mask, border)
    if getattr(pasted, "size", None) != picture.size:
        return _verdict(False, f"return a picture of the input's size, {picture.size}")
    share = (
        np.asarray(upright(pasted), float)[..., 0] - 40
    ) / 200  # 0: the input's pixel, 1: the painted one
    inside, around = np.asarray(mask) > 0, np.asarray(masks.grow(mask, border)) > 0
    if share[inside].mean() < 0.5 < share[~around].mean():
        return _verdict(False, "the picture is painted, and the mask is not: swap the two")
    if (changed := (share[~around] > 0.01).mean()) > 0:
        return _verdict(
            False, f"{changed:.0%} of the pixels beyond the border changed: they must be the input's"
        )
    if (share[inside] < 0.99).any():
        return _verdict(
            False, "masked pixels at the edge show the input: let the border begin outside the mask"
        )
    row = share[32, 44 : 44 + border]
    if not ((row > 0.01) & (row < 0.99)).any():
        return _verdict(False, "the border is hard: let the picture fade from one to the other")
    if (np.diff(row) > 0.01).any():
        return _verdict(False, "the fade goes up and down: it should only fall, away from the mask")
    return _verdict(True, "all of the mask is painted, the border fades, and everything else is the input")


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
            return _verdict(False, f"{case}, it gives {answer}: a chance lies between 0 and 1")
        if np.isclose(answer, truth):
            continue
        if np.isclose(answer, 1 - truth):
            return _verdict(False, f"{case}, it gives the chance that none is right: take it from 1")
        hint = "count the draws in which none is right"
        if np.isclose(answer, 1 - (1 - right / tries) ** n):
            hint = "this draws the same seed more than once"
        return _verdict(False, f"{case}, the chance is {truth:.2f}, not {answer:.2f}: {hint}")
    return _verdict(True, "the chance is right, from no right seed to all")


def check_canvas(canvas, mask, picture, left=0, top=0, right=0, bottom=0):
    """Is a picture laid on a canvas with these margins, in pixels, and does the mask paint the margins and nothing else?"""
    from .masks import extend_canvas

    canvas, mask = upright(canvas), as_mask(mask)
    right_canvas, right_mask = extend_canvas(picture, left, top, right, bottom)
    size = right_canvas.size
    if canvas.size != size or mask.size != size:
        return _verdict(
            False,
            f"canvas and mask have to be {size}, they are {canvas.size} and {mask.size}: add up the margins",
        )
    painted, margins = np.asarray(mask) > 0, np.asarray(right_mask) > 0
    if (painted == ~margins).all():
        return _verdict(False, "the mask is white where the picture should stay: invert it")
    if (painted & ~margins).any():
        return _verdict(False, f"the mask covers {(painted & ~margins).sum()} pixels of the known picture")
    if (margins & ~painted).any():
        return _verdict(False, f"the mask leaves out {(margins & ~painted).sum()} pixels of the margins")
    moved = np.any(np.asarray(canvas) != np.asarray(right_canvas), axis=2) & ~margins
    if moved.any():
        return _verdict(
            False,
            f"{moved.sum() / (~margins).sum():.0%} of the known pixels are not what they were: "
            f"the picture's corner belongs at ({left}, {top})",
        )
    return _verdict(
        True, "the picture lies where it should, and the mask paints the margins and nothing else"
    )


def check_joint(image, example, within):
    """Does a picture go on to the right without a step at its seam, and without a change far from it?

    example: an extension to the right. within: pixels of the known picture, next to the seam, that may change.
    """
    from .masks import bounding_box, grow
    from .postcards.measure.image_extend import seam_step

    image = upright(image)
    if image.size != example.image.size:
        return _verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    changed = np.any(np.asarray(image) != np.asarray(example.image), axis=2)
    unknown, near = (np.asarray(mask) > 0 for mask in (example.mask, grow(example.mask, within)))
    if changed[unknown].mean() < 0.5:
        return _verdict(False, "the margin is still empty: the new part belongs where the mask is white")
    if changed[~near].any():
        return _verdict(
            False,
            f"{changed[~near].mean():.0%} of the pixels more than {within} pixels from the seam changed: "
            "only those next to it may",
        )
    step = seam_step(image, example)
    if step > VISIBLE_STEP:
        return _verdict(
            False,
            f"near column {bounding_box(example.mask)[0]} there is a step of {step:.1f} levels more than in the truth: "
            "fade from one picture to the other",
        )
    return _verdict(True, "no step is left at the seam, and the rest is untouched")


def check_extension(image, picture, side, px, thing):
    """Does a picture go on by `px` pixels on its left or right side, itself untouched, with a thing such as "red house"?"""
    from .postcards.reader import load_reader
    from .postcards.reading import Reading, as_pixels, things_in

    image, picture = upright(image), upright(picture)
    size = (picture.width + px, picture.height)
    if image.size != size:
        return _verdict(False, f"the picture is {image.size}, {px} pixels more on one side make {size}")
    at = px if side == "left" else 0
    known = image.crop((at, 0, at + picture.width, picture.height))
    changed = np.any(np.asarray(known) != np.asarray(picture), axis=2).mean()
    if changed > 0:
        return _verdict(
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
        return _verdict(
            False,
            f"the oracle looks for a {thing} in the new part and finds {' and '.join(found) or 'nothing'}",
        )
    return _verdict(True, f"the picture goes on to the {side}, with a {thing}, and is itself untouched")
