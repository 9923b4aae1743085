"""Self-checks of notebook 02: right letters by place, the picture with the right word."""

import numpy as np

from .verdict import verdict


def check_places(share_right):
    """Does a function give the share of right letters at each place of a word?

    share_right: takes the words that were read and the words asked for, those all of one length.
    """
    from ..postcards.measure.reader import right_letters

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
            return verdict(False, f"{case}, it looks for a letter that is not there: {hint}")
        if answer is None or len(answer) != len(truth) or not np.allclose(answer, truth):
            expected = ", ".join(f"{share:.2f}" for share in truth)
            return verdict(False, f"{case}, the shares are {expected}: {hint}")
    return verdict(True, "the shares are right, for words with wrong, moved and missing letters too")


def check_pick(pick):
    """Does a function pick the picture whose sign comes nearest to the word asked for?

    pick: takes pictures of one sign and the sign, whose `word` was asked for; returns an index.
    """
    from dataclasses import replace

    from ..postcards import example, render
    from ..postcards.comparing import edit_distance

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
            return verdict(False, f"return the index of a picture, from 0 to {len(words) - 1}, as an int")
        nearest = min(words, key=lambda word, asked=asked: edit_distance(word, asked))
        if words[index] != nearest:
            return verdict(
                False, f"asked for {asked} among {', '.join(words)}, it picks {words[index]}, not {nearest}"
            )
    return verdict(True, "it picks the word asked for, and the nearest where none is right")
