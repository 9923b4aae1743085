"""How often the oracle's reader is right about untouched renders."""

import numpy as np

from ...evaluation import HELD_OUT, rate
from ..examples import scene_with_sign
from ..reader import FIRST_THING, load_reader, true_classes
from ..reading import spell
from ..rendering import render
from ..scenes import COLOURS, KINDS, make_scene


def measure(count):
    """How often the reader is right about untouched renders: kinds and colours of things, letters of signs."""
    reader = load_reader()
    kinds, colours, letters, words = [], [], [], []
    for first in range(HELD_OUT, HELD_OUT + count, 50):
        seeds = range(first, min(first + 50, HELD_OUT + count))
        scenes = [make_scene(seed) for seed in seeds]
        for scene, classes, read in zip(
            scenes, *reader.read_pictures([render(s) for s in scenes]), strict=True
        ):
            truth = true_classes(scene)
            for thing in scene.things:
                label = FIRST_THING + KINDS.index(thing.kind), list(COLOURS).index(thing.colour)
                region = (truth[0] == label[0]) & (truth[1] == label[1])
                kinds.append(np.bincount(classes[region]).argmax() == label[0])
                colours.append(np.bincount(read[region]).argmax() == label[1])
        scenes, signs = zip(*(scene_with_sign(seed) for seed in seeds), strict=True)
        for sign, chances in zip(
            signs, reader.letter_chances([render(s) for s in scenes], signs), strict=True
        ):
            word = spell(chances)
            words.append(word == sign.word)
            letters += right_letters(word, sign.word)
    return {"kind": rate(kinds), "colour": rate(colours), "letter": rate(letters), "word": rate(words)}


def right_letters(word, asked):
    """For each letter asked for: whether it stands in its place."""
    return [place < len(word) and word[place] == letter for place, letter in enumerate(asked)]
