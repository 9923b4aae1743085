"""Filling by mask and by seed: how loose a mask may be, what size a thing takes from it, and what more seeds bring.

The same held-out examples throughout. All masks of an example are filled from the same noise.
"""

from dataclasses import replace
from math import comb, sqrt

import numpy as np

from ... import masks
from ...evaluation import HELD_OUT, OTHER_NOISE, edit_examples, mean, summarise
from ..examples import example
from ..oracle import score_all, stands_in
from ..reader import load_reader
from ..reading import Reading, as_mask, as_pixels, grown, things_in
from ..rendering import silhouette

GROWN = (0, 4, 12)  # pixels around the outline of the thing, at 128x128
TRIES = 4  # edits of each example, each from other noise


def measure(pipe, count):
    """Success and size of things by mask; and how many of some seeds are right, example by example.

    count: examples of each case. Makes (TRIES + 3) edits of each.
    """
    examples = [example("fill", seed, pipe.default_size) for seed in range(HELD_OUT, HELD_OUT + count)]
    by_mask, tries = {}, []
    for px in GROWN:
        outlined = [replace(each, mask=outline(each, px)) for each in examples]
        results = edit_examples(pipe, outlined)
        by_mask[f"outline + {px}"] = judged(outlined, results, score_all(outlined, results))
        print(px, by_mask[f"outline + {px}"]["success"], flush=True)
    for n in range(TRIES):
        seeded = [replace(each, seed=each.seed + n * OTHER_NOISE) for each in examples]
        results = edit_examples(pipe, seeded)
        scores = score_all(examples, results)
        tries.append([score["success"] for score in scores])
        if n == 0:
            by_mask["by hand"] = judged(examples, results, scores)
    right = np.sum(tries, axis=0).tolist()
    return {"masks": by_mask, "seeds": {"tries": TRIES, "right": right, "best of": best_of(right, TRIES)}}


def outline(fill, px):
    """The outline of the thing that an example asks for, without its shadow, grown by some pixels: a mask."""
    return masks.grow(silhouette(fill.thing, fill.image.width, lit_by=fill.scene), px)


def judged(examples, results, scores):
    """The scores of some fills as rates and means, and the size of their things."""
    ratios = sizes(examples, results)
    return summarise(scores) | {"size": {**mean(ratios), "examples": len(ratios)}}


def sizes(fills, images):
    """How large the thing in each mask is: the root of its area over that of the truth's, so 2 is twice as wide.

    Pictures with nothing in the mask are left out.
    """
    ratios = []
    for fill, image, *labels in zip(fills, images, *load_reader().read_pictures(images), strict=True):
        reading = Reading(as_pixels(image), *labels, as_mask(fill.mask))
        found = things_in(reading, reading.mask & ~grown(stands_in(fill.scene.without(fill.thing))))
        if found:
            ratios.append(sqrt(found[0].region.sum() / as_mask(outline(fill, 0)).sum()))
    return ratios


def at_least_one(right, tries, n):
    """The chance that at least one of n different tries is right, drawn from `tries` tries of which `right` are.

    Averaged over examples it estimates best-of-n without bias (Chen et al., arXiv 2107.03374, call it pass@k).
    """
    return 1 - comb(tries - right, n) / comb(tries, n)


def best_of(right, tries):
    """For each n: the mean of at_least_one() over the examples, its 95% interval, and 1 - (1 - p)^n for the same p.

    right: how many of the tries of each example are right. The last would hold if all examples were equally hard.
    """
    rate = float(np.mean(right)) / tries
    figures = {}
    for n in range(1, tries + 1):
        chance = mean([at_least_one(each, tries, n) for each in right])
        figures[str(n)] = {
            "mean": chance["mean"],
            "low": max(0.0, chance["low"]),
            "high": min(1.0, chance["high"]),
            "if all were alike": 1 - (1 - rate) ** n,
        }
    return figures
