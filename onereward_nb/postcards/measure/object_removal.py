"""Taking things away with a model that was only taught to fill: what the prompt does, and what the mask covers.

Every case edits the same held-out pictures from the same noise, and all are judged alike, whatever was masked:
the thing is to be gone with its shadow, nothing is to stand there instead, and the background is to go on.
"""

from dataclasses import replace

from ... import masks
from ...evaluation import HELD_OUT, edit_examples, summarise
from ..examples import example
from ..oracle import score_all, stands_in
from ..reader import load_reader
from ..reading import Reading, as_mask, as_pixels, grown, things_in
from ..rendering import silhouette, visible_difference
from ..scenes import LIGHTS
from .reader import rate

MARGIN = 4  # pixels of a mask around what it covers


def measure(pipe, count):
    """Removals by case: how often they succeed, how often something stands there instead, and how often that is a
    thing of the kind that was to go.

    count: examples of each case.
    """
    examples = [example("removal", seed, pipe.default_size) for seed in range(HELD_OUT, HELD_OUT + count)]
    figures = {}
    for case, (mask_for, prompt_for, overrides_for) in CASES.items():
        asked = [replace(each, mask=mask_for(each), prompt=prompt_for(each)) for each in examples]
        results = [edit_examples(pipe, [each], **overrides_for(each))[0] for each in asked]
        figures[case] = judged(examples, results)
        print(case, figures[case]["success"], flush=True)
    return {"cases": figures}


def judged(examples, results):
    """The scores of some removals, and what stands there instead."""
    judges = [replace(each, mask=around(changes(each))) for each in examples]
    kinds = stands_instead(judges, results)
    return summarise(score_all(judges, results)) | {
        "something there": rate([kind is not None for kind in kinds]),
        "same kind": rate([kind == each.thing.kind for kind, each in zip(kinds, examples, strict=True)]),
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


def plain(removal):
    return {}


# {name: (the mask, the prompt, arguments of the pipeline), each a function of the example}
CASES = {
    "remove": (boxed, lambda removal: "remove", plain),
    "empty prompt": (boxed, lambda removal: "", plain),
    "background": (boxed, background_words, plain),
    "background, negative": (
        boxed,
        background_words,
        lambda removal: {"negative_prompt": removal.thing.phrase},
    ),
    "background, no guidance": (boxed, background_words, lambda removal: {"true_cfg_scale": 1.0}),
    "empty prompt, outline": (outlined, lambda removal: "", plain),
    "background, shadow left": (boxed_without_shadow, background_words, plain),
}
