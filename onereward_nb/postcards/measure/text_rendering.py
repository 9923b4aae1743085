"""How often the right word stands on a sign, and what that depends on.

A word is right if the oracle reads, letter by letter, what was asked for.
"""

from collections import Counter
from dataclasses import replace
from itertools import chain

import numpy as np
import torch

from ...closeup import enlarge, put_back
from ...evaluation import HELD_OUT, OTHER_NOISE, edit_examples, rate
from ..comparing import edit_distance
from ..examples import example, face_mask, scene_with_sign
from ..reader import as_tensor, load_reader
from ..reading import spell
from ..rendering import render
from ..scenes import LETTERS, LONGEST_WORD
from .reader import right_letters

CAPITAL = (
    0.357  # height of a capital, as a share of its sign's size: 0.49 in drawings.py times 0.729 in the font
)
SHRUNK = (1.0, 0.8, 0.6, 0.5, 0.4)  # times a sign's size: where does the VAE lose its word?
SMALL, SMALLER = 0.8, 0.6  # times a sign's size: smaller than nearly all signs of the training pictures
TRIES = 3  # of each small word
NEXT_LETTER = str.maketrans(LETTERS, LETTERS[1:] + LETTERS[:1])


def measure(pipe, count):
    """Words right by length and size; for a mix of lengths also without guidance, on smaller signs, and by the VAE alone.

    count: examples of each length, and of the mix.
    """
    side = pipe.default_size
    by_length = [first_examples(length, count, side) for length in range(1, LONGEST_WORD + 1)]
    examples = list(chain.from_iterable(zip(*by_length, strict=True)))
    mix = examples[:count]  # lengths take turns
    small, smaller = ([shrunk(each, factor) for each in mix] for factor in (SMALL, SMALLER))
    words = write_words(pipe, examples)
    tries = [write_words(pipe, small, other_noise=n * OTHER_NOISE) for n in range(TRIES)]
    return {
        "lengths": {n: by_place(words[n - 1 :: LONGEST_WORD], each) for n, each in enumerate(by_length, 1)},
        "letter heights": by_height(words, examples, side),
        "letters wrong on small signs": letters_wrong(tries[0], small),
        "guidance": compare_guidance(pipe, mix, words[:count]),
        "guidance on small signs": compare_guidance(pipe, small, tries[0]),
        "best of, on small signs": best_of(tries, small),
        "sizes": [
            {"letter height in pixels": mean_height(signs), "word": rate(right(written, signs))}
            for signs, written in (
                (mix, words[:count]),
                (small, tries[0]),
                (smaller, write_words(pipe, smaller)),
            )
        ],
        "close-up of the smallest": rate(right(write_closer(pipe, smaller, 1 / SMALLER), smaller)),
        "vae": [by_vae(pipe, [shrunk(each, factor) for each in mix]) for factor in SHRUNK],
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


def write_closer(pipe, examples, zoom):
    """write_words() in close-ups: the part around each sign enlarged, edited, shrunk and put back."""
    parts, part_masks, boxes = zip(*(enlarge(each.image, each.mask, zoom) for each in examples), strict=True)
    enlarged = [
        replace(each, image=part, mask=part_mask)
        for each, part, part_mask in zip(examples, parts, part_masks, strict=True)
    ]
    results = [
        put_back(each.image, each.mask, result, box)
        for each, result, box in zip(examples, edit_examples(pipe, enlarged), boxes, strict=True)
    ]
    return read_words(results, [each.thing for each in examples])


def shrunk(text_example, factor):
    """The same example with a sign smaller by a factor: to be written there, the same word in smaller letters."""
    size, sign = text_example.image.width, text_example.thing
    small = replace(sign, size=factor * sign.size)
    other = replace(small, word=sign.word.translate(NEXT_LETTER))
    scene = text_example.scene.without(sign)
    return replace(
        text_example,
        image=render(scene.with_things(other), size),
        mask=face_mask(small, size, np.random.default_rng(text_example.seed)),
        target=render(scene.with_things(small), size),
        scene=scene.with_things(small),
        thing=small,
    )


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
    """How often a word is right by the height of its letters: three groups of equally many, the smallest first."""
    heights = np.array([letter_height(each.thing, side) for each in examples])
    correct = np.array(right(words, examples))
    return [
        {"pixels": [heights[group].min(), heights[group].max()], "word": rate(correct[group])}
        for group in np.array_split(np.argsort(heights), 3)
    ]


def letters_wrong(words, examples):
    """How many words are how many letters (edit distance) away from what was asked for: {distance: words}."""
    distances = [edit_distance(word, each.thing.word) for word, each in zip(words, examples, strict=True)]
    return dict(sorted(Counter(distances).items()))


def compare_guidance(pipe, examples, words):
    """Words written with the model's own true CFG scale against those at scale 1, from the same noise."""
    guided = right(words, examples)
    unguided = right(write_words(pipe, examples, true_cfg_scale=1.0), examples)
    return {
        "with": rate(guided),
        "without": rate(unguided),
        "right only with": sum(a and not b for a, b in zip(guided, unguided, strict=True)),
        "right only without": sum(b and not a for a, b in zip(guided, unguided, strict=True)),
    }


def best_of(tries, examples):
    """How often at least one of the first tries is right: {number of tries: rate}."""
    by_example = np.array([right(words, examples) for words in tries])
    return {n: rate(by_example[:n].any(axis=0)) for n in range(1, len(tries) + 1)}


def by_vae(pipe, examples):
    """How often the oracle reads the word in the truth itself, as drawn and after a round trip through the VAE."""
    drawn, signs = [each.target for each in examples], [each.thing for each in examples]
    return {
        "letter height in pixels": mean_height(examples),
        "drawn": rate(right(read_words(drawn, signs), examples)),
        "after the VAE": rate(right(read_words(round_trip(pipe, drawn), signs), examples)),
    }


def mean_height(examples):
    return float(np.mean([letter_height(each.thing, each.image.width) for each in examples]))
