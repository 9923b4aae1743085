"""Self-checks of the notebooks' exercises: they compare an answer with the ground truth and say what is wrong.

Each prints one verdict and returns whether the answer is right.
"""

import numpy as np

from .images import as_mask, upright


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
