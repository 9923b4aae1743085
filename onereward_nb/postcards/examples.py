"""Examples of the five tasks, each with its ground truth."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from ..tasks import TASKS
from . import hands
from .rendering import check_size, render, silhouette
from .scenes import KINDS, Scene, Thing, make_scene, make_word


@dataclass(frozen=True)
class Example:
    """An edit to be made, and what it should come to.

    image: the picture to edit, PIL, mode RGB. mask: mode L, 255 where it may change. prompt: what to ask
    for. target: the ground truth. scene: the scene that target shows. thing: the thing in question: to be put
    there (fill), written on (text) or taken away (removal); None for the extensions.
    """

    task: str
    seed: int
    image: Image.Image
    mask: Image.Image
    prompt: str
    target: Image.Image
    scene: Scene
    thing: Thing | None = None


def example(task, seed, size=128):
    """An example of a task.

    task: fill, text, removal, extend or extend-no-prompt.
    seed: a non-negative integer; seeds from 1,000,000 on are held out for evaluation.
    size: the side of the pictures in pixels, 64 to 1024.
    """
    if task not in MAKERS:
        raise ValueError(f"task is {task!r}: there are examples of {', '.join(MAKERS)}")
    if seed < 0:
        raise ValueError(f"seed is {seed}: an example is made from a whole number from 0 on")
    check_size(size)
    rng = np.random.default_rng([seed, 77])
    return MAKERS[task](task, seed, size, rng)


def fill_example(task, seed, size, rng):
    """Put a thing at an empty place: the mask covers where it and its shadow will be."""
    scene = make_scene(seed, (str(rng.choice(KINDS)),))
    thing = scene.things[rng.integers(len(scene.things))]
    mask = hands.around(silhouette(thing, size, shadow_of=scene, lit_by=scene), rng)
    image = render(scene.without(thing), size)
    return Example(task, seed, image, mask, thing.phrase, render(scene, size), scene, thing)


def text_example(task, seed, size, rng):
    """Write a word on a sign that says something else."""
    scene, sign = scene_with_sign(seed)
    other = sign.word
    while other == sign.word:
        other = "".join(make_word(rng)[0] for _ in sign.word)
    image = render(scene.without(sign).with_things(replace(sign, word=other)), size)
    target = render(scene, size)
    mask = face_mask(sign, size, rng)
    left, top, right, bottom = mask.getbbox()
    changed = ImageChops.difference(image, target).getbbox()  # the tail of a Q can reach beyond a tight mask
    box = min(left, changed[0]), min(top, changed[1]), max(right, changed[2]), max(bottom, changed[3])
    mask.paste(255, box)
    return Example(task, seed, image, mask, words_prompt(sign), target, scene, sign)


def removal_example(task, seed, size, rng):
    """Take a thing away. Two masks in three cover its shadow too."""
    scene = make_scene(seed, (str(rng.choice(KINDS)),))
    thing = scene.things[rng.integers(len(scene.things))]
    shape = silhouette(thing, size, shadow_of=scene if rng.random() < 2 / 3 else None, lit_by=scene)
    left = scene.without(thing)
    return Example(
        task,
        seed,
        render(scene, size),
        hands.around(shape, rng),
        TASKS[task].prompt,
        render(left, size),
        left,
        thing,
    )


def extend_example(task, seed, size, rng):
    """Go on with the picture beyond its edges: the canvas is grey where nothing is known."""
    scene = make_scene(seed)
    target = render(scene, size)
    mask = hands.margins(size, hands.random_sides(rng))
    image = Image.composite(Image.new("RGB", target.size, (128, 128, 128)), target, mask)
    prompt = TASKS[task].prompt or scene.caption
    return Example(task, seed, image, mask, prompt, target, scene)


MAKERS = {
    "fill": fill_example,
    "text": text_example,
    "removal": removal_example,
    "extend": extend_example,
    "extend-no-prompt": extend_example,
}


def scene_with_sign(seed):
    """A scene that has a sign, and the sign."""
    scene = make_scene(seed, ("sign",))
    return scene, next(thing for thing in scene.things if thing.kind == "sign")


def words_prompt(sign):
    return f'the words "{sign.word}"'


def face_mask(sign, size, rng):
    """The face of a sign, give or take some of its rim."""
    slack = rng.uniform(-0.02, 0.045) * sign.size
    left, top, right, bottom = sign.face
    box = [round(v * size) for v in (left - slack, top - slack, right + slack, bottom + slack)]
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    return mask
