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
