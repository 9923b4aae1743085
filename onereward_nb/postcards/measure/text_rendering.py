"""How often the right word stands on a sign, and what that depends on.

A word is right if the oracle reads, letter by letter, what was asked for.
"""

from collections import Counter
from dataclasses import replace
from itertools import chain

import numpy as np
import torch

from ...evaluation import HELD_OUT, edit_examples
from ..comparing import edit_distance
from ..examples import example, scene_with_sign
from ..reader import as_tensor, load_reader
from ..reading import spell
from ..rendering import render
from ..scenes import LONGEST_WORD
from .reader import rate, right_letters

CAPITAL = (
    0.357  # height of a capital, as a share of its sign's size: 0.49 in drawings.py times 0.729 in the font
)
SHRUNK = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3)  # times a sign's size: when does the VAE lose its word?
TRIES = 3  # of each word of the mix
OTHER_NOISE = 10_000_000  # added to an example's seed for each further try


def measure(pipe, count):
    """Words right by length and by size; and, for a mix of lengths, by guidance, number of tries, and the VAE alone.

    count: examples of each length, and of the mix.
    """
    by_length = [first_examples(length, count, pipe.default_size) for length in range(1, LONGEST_WORD + 1)]
    examples = list(chain.from_iterable(zip(*by_length, strict=True)))
    mix = examples[:count]  # lengths take turns
    words = write_words(pipe, examples)
    further = [write_words(pipe, mix, other_noise=n * OTHER_NOISE) for n in range(1, TRIES)]
    unguided = write_words(pipe, mix, true_cfg_scale=1.0)
    return {
        "lengths": {n: by_place(words[n - 1 :: LONGEST_WORD], each) for n, each in enumerate(by_length, 1)},
        "letter heights": by_height(words, examples, pipe.default_size),
        "letters wrong": letters_wrong(words, examples),
        "scales": compare_scales(words[:count], unguided, mix, pipe.settings),
        "best of": best_of([words[:count], *further], mix),
        "vae": by_shrinking(pipe, mix),
    }


def first_examples(length, count, size=128):
    """The first held-out examples of the text task whose word has `length` letters."""
    found, seed = [], HELD_OUT
    while len(found) < count:
        if len(scene_with_sign(seed)[1].word) == length:
            found.append(example("text", seed, size))
        seed += 1
    return found


def write_words(pipe, examples, other_noise=0, **overrides):
    """What the oracle reads after the pipeline's edits of some examples: a list of words."""
    seeded = [replace(each, seed=each.seed + other_noise) for each in examples]
    return read_words(edit_examples(pipe, seeded, **overrides), [each.thing for each in examples])


def read_words(images, signs):
    """The words on known signs, one in each picture, as the oracle reads them."""
    return [spell(chances) for chances in load_reader().letter_chances(images, signs)]


def letter_height(sign, side=128):
    """The height of a sign's capitals in pixels, in a picture of this side."""
    return CAPITAL * sign.size * side


def round_trip(pipe, images, batch=20):
    """Pictures encoded and decoded by the VAE, nothing else: PIL images."""
    returned = []
    for start in range(0, len(images), batch):
        pixels = as_tensor(images[start : start + batch]).to(pipe.vae.device, pipe.vae.dtype)
        with torch.inference_mode():
            decoded = pipe.vae.decode(pipe.vae.encode(pixels).latent_dist.mean).sample.float().cpu()
        returned += pipe.image_processor.postprocess(decoded)
    return returned


def shrunk(example, factor):
    """A scene in which the sign of an example is smaller by a factor, its word with it, and that sign."""
    sign = replace(example.thing, size=factor * example.thing.size)
    return example.scene.without(example.thing).with_things(sign), sign


def right(words, examples):
    """For each word whether it is the one that its example asked for."""
    return [word == each.thing.word for word, each in zip(words, examples, strict=True)]


def by_place(words, examples):
    """Words of one length: how often all of the word is right, and each of its letters from left to right."""
    letters = [right_letters(word, each.thing.word) for word, each in zip(words, examples, strict=True)]
    return {
        "word": rate(right(words, examples)),
        "places": [rate(place) for place in zip(*letters, strict=True)],
    }


def by_height(words, examples, side):
    """How often a word is right, over the height of its letters in whole pixels: three groups of one size."""
    heights = np.array([letter_height(each.thing, side) for each in examples])
    groups = np.array_split(np.argsort(heights), 3)
    return [
        {
            "pixels": [float(heights[group].min()), float(heights[group].max())],
            "word": rate(np.array(right(words, examples))[group]),
        }
        for group in groups
    ]


def letters_wrong(words, examples):
    """How many words are how many letters (edit distance) away from what was asked for: {distance: words}."""
    distances = [edit_distance(word, each.thing.word) for word, each in zip(words, examples, strict=True)]
    return dict(sorted(Counter(distances).items()))


def compare_scales(guided, unguided, examples, settings):
    """The same examples and noise with the model's own true CFG scale and without true CFG (scale 1)."""
    pairs = Counter(zip(right(guided, examples), right(unguided, examples), strict=True))
    return {
        "scale": settings["true_cfg_scale"],
        "guided": rate(right(guided, examples)),
        "unguided": rate(right(unguided, examples)),
        "right with guidance only": pairs[True, False],
        "right without guidance only": pairs[False, True],
    }


def best_of(tries, examples):
    """How often at least one of the first tries is right: {number of tries: rate}."""
    by_example = np.array([right(words, examples) for words in tries])
    return {n: rate(by_example[:n].any(axis=0)) for n in range(1, len(tries) + 1)}


def by_shrinking(pipe, examples):
    """Words read from drawings of ever smaller signs, and from the same after a round trip through the VAE."""
    rows = []
    for factor in SHRUNK:
        scenes, signs = zip(*(shrunk(each, factor) for each in examples), strict=True)
        drawn = [render(scene, pipe.default_size) for scene in scenes]
        rows.append(
            {
                "mean letter height in pixels": float(
                    np.mean([letter_height(sign, pipe.default_size) for sign in signs])
                ),
                "drawn": rate(right(read_words(drawn, signs), examples)),
                "after the VAE": rate(right(read_words(round_trip(pipe, drawn), signs), examples)),
            }
        )
    return rows
