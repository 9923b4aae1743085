"""Candidates: edits of one example that differ as much as a model's edits can, for a judge to choose among.

Steps, negative prompt, guidance scale and noise strength are random, as in the paper (arXiv 2508.21066, section 4.3).
Our model is small and its world is simple: it needs more to fail in every way that counts. See `told_prompt`.
"""

from dataclasses import replace

import numpy as np
from PIL import Image

from ..evaluation import edit_examples
from .examples import words_prompt
from .measure.object_removal import background_words
from .measure.text_rendering import round_trip
from .scenes import COLOURS, KINDS, LETTERS, LONGEST_WORD, make_word

CANDIDATES = 4
NEGATIVE_PROMPTS = ("", "nsfw", "blurry", "low quality")  # the last three are the paper's
# the share of candidates that are told something else than what they are judged by
ASTRAY = {"fill": 0.3, "text": 0.4, "removal": 0.5, "extend": 0.3, "extend-no-prompt": 0.0}


def random_settings(rng):
    """What differs between candidates: steps, negative prompt, guidance scale and how much noise they start from."""
    return {
        "num_inference_steps": int(rng.integers(4, 29)),
        "negative_prompt": str(rng.choice(NEGATIVE_PROMPTS)),
        "true_cfg_scale": float(rng.uniform(1, 8)),
        "strength": float(rng.uniform(0.6, 1)),
    }


def make_candidates(pipe, examples, rng):
    """CANDIDATES edits of each example of one task, and its truth as the model would return it: lists of PIL images.

    A candidate's settings are the same for all examples; what it is told to paint may go astray in each.
    """
    edits = []
    for number in range(CANDIDATES):
        told = [replace(each, prompt=told_prompt(each, number)) for each in examples]
        edits.append(edit_examples(pipe, told, **random_settings(rng)))
    returned = round_trip(pipe, [each.target for each in examples])
    edits.append(
        [Image.composite(new, each.image, each.mask) for new, each in zip(returned, examples, strict=True)]
    )
    return [list(images) for images in zip(*edits, strict=True)]


def told_prompt(edit, number):
    """What a candidate is told to paint, sometimes another thing than what it is judged by.

    The small model hardly ever misspells a word or mixes up a colour, and hardly ever removes a thing when it is asked
    to. A judge that never sees these would not learn them. So some candidates are told something nearly right, and
    those for removal what stands behind the thing, which a fill model can paint.
    """
    rng = np.random.default_rng([edit.seed, 14, number])
    if rng.random() >= ASTRAY[edit.task]:
        return edit.prompt
    if edit.task == "removal":
        return background_words(edit)
    if edit.task == "text":
        return words_prompt(replace(edit.thing, word=misspelt(edit.thing.word, rng)))
    if edit.task == "fill":
        return another(edit.thing, rng).phrase
    if not edit.scene.things:
        return edit.prompt
    thing = edit.scene.things[rng.integers(len(edit.scene.things))]
    rest = edit.scene.without(thing)
    return (rest if rng.random() < 0.3 else rest.with_things(another(thing, rng))).caption


def another(thing, rng):
    """A thing of another colour or of another kind."""
    if rng.random() < 0.5:
        return replace(
            thing, colour=str(rng.choice([colour for colour in COLOURS if colour != thing.colour]))
        )
    kind = str(rng.choice([kind for kind in KINDS if kind != thing.kind]))
    return replace(thing, kind=kind, word=make_word(rng) if kind == "sign" else "")


def misspelt(word, rng):
    """A word with one letter changed, left out or put in."""
    place, letter = rng.integers(len(word)), str(rng.choice(list(LETTERS)))
    changes = [word[:place] + letter + word[place + 1 :]]
    if len(word) > 1:
        changes.append(word[:place] + word[place + 1 :])
    if len(word) < LONGEST_WORD:
        changes.append(word[:place] + letter + word[place:])
    return str(rng.choice(changes))
