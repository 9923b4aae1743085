"""Taking things away with a model that was only taught to fill: what the prompt does, and what the mask covers.

Every case edits the same held-out pictures from the same noise, and all are judged alike, whatever was masked:
the thing is to be gone with its shadow, nothing is to stand there instead, and the background is to go on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from ... import masks
from ...evaluation import HELD_OUT, rate, summarise
from ..examples import Example, example
from ..oracle import score_all, stands_in
from ..reader import load_reader
from ..reading import Reading, as_mask, as_pixels, grown, things_in
from ..rendering import silhouette, visible_difference
from ..scenes import LIGHTS

MARGIN = 4  # pixels of a mask around what it covers


def measure(pipe, count):
    """Removals by case: how often they succeed, how often something stands there instead, and how often that is of
    the kind that was to go.

    count: examples of each case.
    """
    examples = [example("removal", seed, pipe.default_size) for seed in range(HELD_OUT, HELD_OUT + count)]
    figures = {}
    for name, case in CASES.items():
        asked = [replace(each, mask=case.mask(each), prompt=case.prompt(each)) for each in examples]
        negatives = [case.negative(each) for each in examples]
        figures[name] = judged(examples, edit(pipe, asked, negatives, **case.settings))
        print(name, figures[name]["success"], flush=True)
    return {"cases": figures}


def edit(pipe, removals, negatives=None, batch=8, **overrides):
    """The pipeline's answers with each example's mask and prompt as they are: an empty prompt stays empty.

    negatives: one negative prompt for each; none by default. overrides: other arguments of the pipeline.
    Returns PIL images.
    """
    negatives = negatives or [""] * len(removals)
    results = []
    for start in range(0, len(removals), batch):
        part = removals[start : start + batch]
        results += pipe(
            [each.prompt for each in part],
            image=[each.image for each in part],
            mask_image=[each.mask for each in part],
            generator=[torch.Generator("cpu").manual_seed(each.seed) for each in part],
            **{**pipe.settings, "negative_prompt": negatives[start : start + batch], **overrides},
        ).images
    return results


def judged(examples, results):
    """The scores of some removals, and what stands there instead."""
    judges = [replace(each, mask=around(changes(each))) for each in examples]
    kinds = stands_instead(judges, results)
    same = [kind == each.thing.kind for kind, each in zip(kinds, examples, strict=True)]
    return summarise(score_all(judges, results)) | {
        "something there": rate([kind is not None for kind in kinds]),
        "same kind": rate(same),
        "same kind by kind": {
            kind: rate([hit for hit, each in zip(same, examples, strict=True) if each.thing.kind == kind])
            for kind in sorted({each.thing.kind for each in examples})
        },
    }


def changes(removal):
    """The pixels of an example's picture that differ from its truth: the thing and its shadow, as a mask."""
    scene, size = removal.scene, removal.image.width
    return visible_difference(scene.with_things(removal.thing), scene, size)


def thing_only(removal):
    """The pixels of the thing that is to go, without its shadow, as a mask."""
    return silhouette(removal.thing, removal.image.width, lit_by=removal.scene)


def around(shape, margin=MARGIN):
    """A box around a shape, both masks, `margin` pixels wider on each side."""
    left, top, right, bottom = masks.bounding_box(shape)
    width, height = shape.size
    return masks.box(
        shape,
        max(0, left - margin),
        max(0, top - margin),
        min(width, right + margin),
        min(height, bottom + margin),
    )


def background_words(removal):
    """What stands behind the thing, in the words of the captions: `the sky at night`, or `grass by day`."""
    place = "the sky" if removal.thing.kind == "balloon" else removal.scene.ground
    return f"{place} {LIGHTS[removal.scene.light]}"


def stands_instead(removals, images):
    """The kind of the largest thing in each mask that does not belong to the truth; None where there is none."""
    kinds = []
    for removal, image, *labels in zip(removals, images, *load_reader().read_pictures(images), strict=True):
        reading = Reading(as_pixels(image), *labels, as_mask(removal.mask))
        found = things_in(reading, reading.mask & ~grown(stands_in(removal.scene)))
        kinds.append(found[0].kind if found else None)
    return kinds


def boxed(removal):
    return around(changes(removal))


def outlined(removal):
    return masks.grow(changes(removal), MARGIN)


def boxed_without_shadow(removal):
    return around(thing_only(removal), 1)


def remove(removal):
    return "remove"


def nothing(removal):
    return ""


def thing_words(removal):
    return removal.thing.phrase


@dataclass(frozen=True)
class Case:
    """One way to take things away: mask and prompts for an example, and further arguments of the pipeline."""

    mask: Callable[[Example], object]
    prompt: Callable[[Example], str]
    negative: Callable[[Example], str] = nothing
    settings: dict = field(default_factory=dict)


CASES = {
    "remove": Case(boxed, remove),
    "empty prompt": Case(boxed, nothing),
    "background": Case(boxed, background_words),
    "background, negative": Case(boxed, background_words, thing_words),
    "background, no guidance": Case(boxed, background_words, settings={"true_cfg_scale": 1.0}),
    "empty prompt, outline": Case(outlined, nothing),
    "empty prompt, shadow left": Case(boxed_without_shadow, nothing),
    "background, shadow left": Case(boxed_without_shadow, background_words),
}
