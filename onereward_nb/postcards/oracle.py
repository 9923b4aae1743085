"""The oracle: scores an edit by the scene that it was made from, never by taste.

It reads what stands in the picture with two small networks and compares with the ground truth. Every score lies
between 0 and 1, higher is better:

- text alignment: is what was asked for there, and nothing else?
- consistency: do ground, sky and light go on as in the truth, without a seam?
- structure: is every thing whole, with the outline of its kind?
- aesthetics: is the picture as crisp and as calm as the truth, neither blurred nor noisy?
- text rendering: how many letters of the word are right?
- removal quality: how near does the picture come to the scene without the thing?
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
from multiprocessing import get_context

import numpy as np
import torch
from PIL import Image

from .comparing import NEAR, agreement, alike, crispness, edit_distance, gone, overlap, seamless
from .landscape import CLOUDS, SUNS
from .outlines import fitted_things, wholeness
from .reader import FIRST_THING, LETTERS, SIZE, SKY, load_reader, true_classes
from .reading import SPECK, Reading, as_mask, as_pixels, darker_than_face, grown, spell, things_in
from .rendering import render, silhouette
from .scenes import COLOURS, HORIZONS, KINDS

WHOLE = 0.85  # a thing is whole from this match with a drawing of its kind on
GOES_ON = 0.75  # a background goes on, and what was to go is gone, from this share of its pixels on
BEHIND_THE_VIEWER = (-9.0, -9.0)  # where the sun lights nothing that is in the picture
COVERED = 0.8  # a shadow is to go where the mask covers this share of it


def score(example, image):
    """Score one edited image against its example's ground truth.

    image: PIL, of the size of example.image. Returns a dictionary: `success`, a bool; `outside`, the share of the
    pixels outside the mask that changed; and a value from 0 to 1 for each dimension of the task, named as in the
    paper (arXiv 2508.21066, table 1, and text rendering).
    """
    return score_all([example], [image])[0]


def score_all(examples, images):
    """score() for many edits of any tasks, read together: a list of dictionaries."""
    for example, image in zip(examples, images, strict=True):
        if not isinstance(image, Image.Image):
            raise TypeError(
                f"the image is a {type(image).__name__}: score a PIL image, as pipelines return it"
            )
        if image.size != example.image.size:
            raise ValueError(
                f"the image is {image.size}, its example {example.image.size}: score a result of the example's size"
            )
    reader = load_reader()
    classes, colours = reader.read_pictures(images)
    results = []
    for example, image, *labels in zip(examples, images, classes, colours, strict=True):
        reading = Reading(as_pixels(image), *labels, as_mask(example.mask))
        result = SCORES[example.task](example, reading, image)
        results.append(result | {"outside": changed_outside(example, image)})
    return results


def pool(workers=None):
    """Processes in which the oracle scores while this one goes on, as many as there are cores: a ProcessPoolExecutor."""
    # spawned, for a fork of a process that runs threads or a GPU can hang; with one thread each, for with as many as
    # there are cores every process would hinder all others
    return ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))


def score_fill(example, reading, image):
    """Right where the one thing in the mask is of the kind and colour asked for, whole, on an untouched background."""
    asked = example.thing
    rest = example.scene.without(asked)
    # neighbours may reach into a loose mask: what stands in their place is not judged
    place = reading.mask & ~grown(stands_in(rest))
    things = (reading.classes >= FIRST_THING) & place
    right_kind = reading.classes == FIRST_THING + KINDS.index(asked.kind)
    right_colour = reading.colours == list(COLOURS).index(asked.colour)
    amount = things.sum()
    alignment = 0.0
    if amount >= SPECK:
        alignment = (right_kind & things).sum() / amount * (right_colour & things).sum() / amount
    found = things_in(reading, place)
    structure = wholeness(found[0], example.scene, word=asked.word) if found else 0.0
    # without a shadow, with the truth's, with that of a thing where this one stands, or with a fainter one
    shadowed = [
        example.scene,
        *(rest.with_things(fitted_things(thing, asked.word)[0]) for thing in found[:1]),
    ]
    consistency = goes_on(
        reading,
        as_pixels(example.image),
        ~grown(things | stands_in(example.scene)),
        [drawn(scene) for scene in shadowed],
    )
    named = [(thing.kind, thing.colour) for thing in found] == [(asked.kind, asked.colour)]
    return {
        "success": bool(named and structure >= WHOLE and consistency >= GOES_ON),
        "text alignment": float(alignment),
        "consistency": consistency,
        "structure": structure,
        "aesthetics": crispness(reading.pixels, as_pixels(example.target), reading.mask),
    }


def score_text(example, reading, image):
    """Right where the word on the sign is the word asked for, letter by letter."""
    chances = load_reader().letter_chances([image], [example.thing])[0]
    word = spell(chances)
    asked = example.thing.word
    slots = [LETTERS.index(letter) for letter in asked] + [len(LETTERS)] * (len(chances) - len(asked))
    as_read = replace(example.thing, word=word or " ")
    ideal = drawn(example.scene.without(example.thing).with_things(as_read))
    target = as_pixels(example.target)
    ink, ideal_ink = (darker_than_face(pixels, reading.mask) for pixels in (reading.pixels, ideal))
    face = ~grown(ink | darker_than_face(target, reading.mask))
    return {
        "success": word == asked,
        "text alignment": float(np.prod([chances[i, slot] for i, slot in enumerate(slots)])),
        "consistency": goes_on(reading, target, face),
        "structure": overlap(ink, ideal_ink) if word else 0.0,
        "aesthetics": crispness(reading.pixels, ideal, reading.mask),
        "text rendering": 1 - edit_distance(word, asked) / max(len(word), len(asked)),
    }


def score_removal(example, reading, image):
    """Right where the thing is gone, its shadow too, nothing stands there instead, and the background goes on."""
    before, target = as_pixels(example.image), as_pixels(example.target)
    seen = np.abs(before - target).max(axis=2) > NEAR / 2
    stood = np.asarray(silhouette(example.thing, SIZE, lit_by=example.scene)) > 0
    shadow = seen & ~grown(stood, 1)
    if (shadow & reading.mask).sum() < max(SPECK, COVERED * shadow.sum()):
        shadow &= False
    instead = (reading.classes >= FIRST_THING) & ~grown(stands_in(example.scene)) & reading.mask
    clean = min(
        goes_on(reading, target, ~shadow),
        alike(reading.pixels, target, seen & stood & reading.mask),
        gone(reading.pixels, before, target, shadow & reading.mask),
    )
    nearness = float(np.exp(-np.abs(reading.pixels - target)[reading.mask].mean() / NEAR))
    return {"success": bool(instead.sum() < SPECK and clean >= GOES_ON), "removal quality": nearness}


def score_extend(example, reading, image):
    """Right where sky and ground go on as in the truth, and what stands in the margins is whole."""
    consistency = max(extends(reading, scene) for scene in continuations(example.scene, ~reading.mask))
    found = things_in(reading, np.ones_like(reading.mask))
    in_margins = [thing for thing in found if (thing.region & reading.mask).sum() >= SPECK]
    structure = min((wholeness(thing, example.scene, ~reading.mask) for thing in in_margins), default=1.0)
    result = {
        "success": bool(consistency >= GOES_ON and structure >= WHOLE),
        "consistency": consistency,
        "structure": structure,
        "aesthetics": crispness(reading.pixels, as_pixels(example.target), reading.mask),
    }
    if example.task == "extend":
        result["text alignment"] = agreement(found, example.scene.things)
    return result


SCORES = {
    "fill": score_fill,
    "text": score_text,
    "removal": score_removal,
    "extend": score_extend,
    "extend-no-prompt": score_extend,
}


@lru_cache(maxsize=64)  # candidates of one example are scored one after the other
def drawn(scene):
    """The pixels of a scene: as as_pixels() returns them, not to be changed."""
    return as_pixels(render(scene, SIZE))


@lru_cache(maxsize=64)
def what_stands(scene):
    """The class of each pixel of a scene: uint8 (128, 128), not to be changed."""
    return true_classes(scene)[0]


def stands_in(scene):
    """Where things stand in a scene: bool (128, 128)."""
    return what_stands(scene) >= FIRST_THING


def continuations(scene, visible):
    """The scenes that go on from what was visible: the scene, or where no horizon was seen, it with other horizons."""
    row = int(scene.horizon * SIZE)
    if visible[row - 4 : row + 5].any():
        return [scene]
    return [scene, *(replace(scene, horizon=horizon) for horizon in np.linspace(*HORIZONS, 8))]


def extends(reading, scene):
    """How well sky and ground go on as in a scene, 0 to 1. Where clouds and sun are, nobody can know from outside."""
    truth, target = what_stands(scene), drawn(scene)
    background = (reading.classes < FIRST_THING) & (truth < FIRST_THING)
    judged = background & reading.mask
    same_place = (reading.classes == truth)[judged].mean() if judged.any() else 0.0
    sky = (truth == SKY)[..., None]
    clear = drawn(replace(scene, clouds=(), sun=BEHIND_THE_VIEWER))
    skies = [np.where(sky, other, target) for other in (clear, CLOUDS[scene.light], SUNS[scene.light])]
    open_ground = background & ~grown(truth >= FIRST_THING)
    return float(same_place) * goes_on(reading, target, open_ground, skies, tolerance=1.5 * NEAR)


def goes_on(reading, target, background, others=(), tolerance=NEAR):
    """How well the masked background goes on as in the truth, and without a seam: 0 to 1."""
    looks = alike(reading.pixels, target, background & reading.mask, others, tolerance)
    return looks * seamless(reading.pixels, target, reading.mask, background, others)


def changed_outside(example, image):
    """The share of the pixels outside the mask that are not the input's, at the picture's own size."""
    outside = np.asarray(example.mask) <= 127
    changed = np.any(np.asarray(image.convert("RGB")) != np.asarray(example.image), axis=2)
    return float(changed[outside].mean()) if outside.any() else 0.0
