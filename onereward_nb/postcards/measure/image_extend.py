"""How well a picture goes on: by how much of it is new, by what the prompt says, and by how its seam is joined."""

from dataclasses import replace

import numpy as np
from PIL import Image

from ... import masks
from ...evaluation import HELD_OUT, edit_examples, mean, summarise
from ...tasks import TASKS
from ..examples import Example
from ..oracle import score_all
from ..rendering import render
from ..scenes import make_scene

SIDES = {  # left, top, right, bottom, as shares of the picture's side
    "20% on the right": (0, 0, 0.2, 0),
    "45% on the right": (0, 0, 0.45, 0),
    "20% on all four": (0.2, 0.2, 0.2, 0.2),
}
BASE = "45% on the right"  # whose prompts and seams are compared
EMPTY = " "  # tokenizers drop the space
OVERLAP = 8  # pixels of the known picture that are painted too, or faded over


def measure(pipe, count):
    """Success by sides and by prompt, and the step at the seam that each way of joining leaves.

    count: examples of each case.
    """
    seeds = range(HELD_OUT, HELD_OUT + count)
    by_sides = {}
    for name, sides in SIDES.items():
        examples = [extension(seed, sides, size=pipe.default_size) for seed in seeds]
        painted = edit_examples(pipe, examples, paste=None)
        pasted = [join(new, each) for new, each in zip(painted, examples, strict=True)]
        by_sides[name] = {
            "new": masks.coverage(examples[0].mask),
            **summarise(score_all(examples, pasted)),
        }
        if name == BASE:
            by_prompt = {"caption": by_sides[name]}
            joints = measure_joints(pipe, examples, painted)
    for name, prompt in {"fixed prompt": TASKS["extend-no-prompt"].prompt, "empty prompt": EMPTY}.items():
        examples = [extension(seed, SIDES[BASE], prompt, pipe.default_size) for seed in seeds]
        by_prompt[name] = summarise(score_all(examples, edit_examples(pipe, examples)))
    return {"sides": by_sides, "prompts": by_prompt, "overlap in pixels": OVERLAP, "joints": joints}


def extension(seed, sides, prompt=None, size=128):
    """An example with margins of our own: (left, top, right, bottom), each a share of the picture's side.

    prompt: what to ask for; None for the scene's caption.
    """
    scene = make_scene(seed)
    truth = render(scene, size)
    left, top, right, bottom = (round(share * size) for share in sides)
    known = truth.crop((left, top, size - right, size - bottom))
    canvas, mask = masks.extend_canvas(known, left, top, right, bottom)
    return Example("extend", seed, canvas, mask, prompt or scene.caption, truth, scene)


def measure_joints(pipe, examples, painted):
    """What each way of joining does to the seam and to the known picture."""
    grown = [replace(each, mask=masks.grow(each.mask, OVERLAP)) for each in examples]
    repainted = edit_examples(pipe, grown, paste=None)
    ways = {
        "cut": [join(*each) for each in zip(painted, examples, strict=True)],
        "not pasted": painted,
        "faded": [join(*each, fade=OVERLAP) for each in zip(painted, examples, strict=True)],
        "grown, cut": [join(*each) for each in zip(repainted, grown, strict=True)],
        "grown, faded": [join(*each, fade=OVERLAP) for each in zip(repainted, examples, strict=True)],
    }
    figures = {}
    for way, pictures in ways.items():
        steps = [seam_step(*each) for each in zip(pictures, examples, strict=True)]
        outside = [score["outside"] for score in score_all(examples, pictures)]
        figures[way] = {
            "step beyond the truth's": mean(steps),
            "known pixels changed": float(np.mean(outside)),
        }
    return figures


def join(painted, example, fade=0):
    """The new part of a painted picture beside the known one, fading into it over `fade` pixels."""
    return Image.composite(painted, example.image, masks.feather(example.mask, fade))


def seam_step(picture, example):
    """By how much a picture steps more than the truth near its seam, in levels of 255.

    Of the first column of the mask and the OVERLAP columns before it the one where most is too much. example: an
    extension to the right.
    """
    seam = masks.bounding_box(example.mask)[0]
    excess = column_steps(picture) - column_steps(example.target)
    return float(excess[seam - OVERLAP : seam + 1].max())


def column_steps(picture):
    """How much a picture changes from the column before to each column: mean of all rows, levels of 255."""
    pixels = np.asarray(picture.convert("RGB"), float)
    return np.abs(np.diff(pixels, axis=1, prepend=pixels[:, :1])).mean(axis=(0, 2))
