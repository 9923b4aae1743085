"""Edits spoiled by drawing, each in one known way: does a reward model tell them from the truth?

They show whether it has learned what its dimensions mean, beyond the faults of the model whose edits it was trained on.
For evaluation only: nothing is trained on them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count as counted

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from ..evaluation import HELD_OUT
from .examples import example
from .preferences import Pair
from .rendering import render, silhouette
from .scenes import COLOURS, LETTERS

SEEN = 12  # grey levels: a difference that is seen
LEAST = 0.04  # of the masked pixels differ as much, or there is nothing to tell


@dataclass(frozen=True)
class Kind:
    """One way to spoil an edit: of which tasks, in which dimension, and how.

    spoil(example, rng) returns a picture of which the masked part counts, or None where there is nothing to spoil.
    """

    name: str
    tasks: tuple[str, ...]
    dimension: str
    spoil: Callable


def planted_pairs(kind, task, count, first_seed=HELD_OUT):
    """The first `count` pairs of truth and spoiled truth from a seed on: a list of Pairs, the truth the winner.

    Both are the input outside the mask, and differ visibly inside.
    """
    pairs = []
    for seed in counted(first_seed):
        if len(pairs) == count:
            return pairs
        edit = example(task, seed)
        spoiled = kind.spoil(edit, np.random.default_rng([seed, 13]))
        if spoiled is None:
            continue
        truth, spoiled = (Image.composite(each, edit.image, edit.mask) for each in (edit.target, spoiled))
        difference = np.asarray(ImageChops.difference(truth, spoiled)).max(axis=2)[np.asarray(edit.mask) > 0]
        if (difference > SEEN).mean() >= LEAST:
            pairs.append(Pair(task, seed, kind.dimension, edit.prompt, truth, spoiled))


def half_removed(edit, rng):
    """A half of the thing is left, upper or lower, left or right."""
    return half(edit.target, edit.image, silhouette(edit.thing, edit.image.width, lit_by=edit.scene), rng)


def half_painted(edit, rng):
    """A half of the thing is missing."""
    return half(
        edit.target, edit.image, silhouette(edit.thing, edit.image.width, edit.scene, edit.scene), rng
    )


def half(picture, other, shape, rng):
    """A picture with another in one half of a shape."""
    left, top, right, bottom = shape.getbbox()
    middle = (left + right) // 2, (top + bottom) // 2
    boxes = [
        *((left, top, middle[0], bottom), (middle[0], top, right, bottom)),
        *((left, top, right, middle[1]), (left, middle[1], right, bottom)),
    ]
    box = boxes[rng.integers(4)]
    region = Image.new("L", picture.size)
    region.paste(shape.crop(box), box)
    return Image.composite(other, picture, region)


def shadow_left(edit, rng):
    """The thing is gone, and its shadow stays: only where the mask covers it."""
    size = edit.image.width
    thing = silhouette(edit.thing, size, lit_by=edit.scene)
    shadow = ImageChops.subtract(silhouette(edit.thing, size, edit.scene, edit.scene), thing)
    pixels, covered = (np.asarray(each) > 0 for each in (shadow, edit.mask))
    if not pixels.any() or (pixels & covered).sum() < 0.9 * pixels.sum():
        return None
    return Image.composite(edit.image, edit.target, shadow)


def wrong_colour(edit, rng):
    """The right thing in another colour."""
    others = [colour for colour in COLOURS if colour != edit.thing.colour]
    return with_thing(edit, replace(edit.thing, colour=str(rng.choice(others))))


def one_letter_wrong(edit, rng):
    """The right word but for one letter."""
    word = list(edit.thing.word)
    place = rng.integers(len(word))
    word[place] = str(rng.choice([letter for letter in LETTERS if letter != word[place]]))
    return with_thing(edit, replace(edit.thing, word="".join(word)))


def with_thing(edit, thing):
    return render(edit.scene.without(edit.thing).with_things(thing), edit.image.width)


def shifted(edit, rng):
    """All of it is some pixels too high or too low, so that it does not fit what is around it."""
    pixels = np.asarray(edit.target)
    shift = int(rng.integers(4, 9)) * int(rng.choice([-1, 1]))
    return Image.fromarray(pixels[(np.arange(len(pixels)) + shift).clip(0, len(pixels) - 1)])


def blurred(edit, rng):
    return edit.target.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 2.5)))


KINDS = [
    Kind("wrong colour", ("fill",), "text alignment", wrong_colour),
    Kind("half missing", ("fill",), "structure", half_painted),
    Kind("one letter wrong", ("text",), "text rendering", one_letter_wrong),
    Kind("half removed", ("removal",), "removal quality", half_removed),
    Kind("shadow left", ("removal",), "removal quality", shadow_left),
    Kind("shifted", ("extend", "extend-no-prompt"), "consistency", shifted),
    Kind("blurred", ("fill", "text", "extend", "extend-no-prompt"), "aesthetics", blurred),
    Kind("blurred", ("removal",), "removal quality", blurred),
]
