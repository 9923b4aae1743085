"""How errors add up when a picture is extended again and again."""

import numpy as np
from PIL import ImageOps

from ...evaluation import HELD_OUT
from ...panorama import extend_right
from ..comparing import NEAR
from ..landscape import SUNS
from ..reader import LAND, SIZE, load_reader
from ..reading import Reading, as_pixels, connected, things_in
from ..rendering import render
from ..scenes import COLOURS, KINDS, LIGHTS, Thing, make_scene
from .image_extend import mean
from .reader import rate

STEPS = 3
PX = 48  # new pixels of each step
BATCH = 10
DISC = 40  # pixels: a patch of the sun's colour that is larger is a sun


def measure(pipe, count):
    """For each step: is the thing asked for there, and how far did the skyline move? And how many suns are there at the end?

    count: panoramas, from the first held-out scenes on.
    """
    scenes = [make_scene(seed) for seed in range(HELD_OUT, HELD_OUT + count)]
    wishes = [wishes_for(scene) for scene in scenes]
    pictures = [render(scene) for scene in scenes]
    start = skylines(pictures)
    apart = np.abs(start - skylines([ImageOps.mirror(picture) for picture in pictures]))
    steps = []
    for step in range(STEPS):
        for first in range(0, count, BATCH):
            part = slice(first, first + BATCH)
            prompts = [
                in_scene(wish[step], scene) for wish, scene in zip(wishes[part], scenes[part], strict=True)
            ]
            seeds = [scene.seed + step * HELD_OUT for scene in scenes[part]]
            pictures[part] = extend_right(pipe, pictures[part], prompts, PX, seeds)
        found = new_things(pictures)
        moved = np.abs(skylines(pictures) - start)
        steps.append(
            {
                "thing asked for": rate(
                    [wish[step] in things for wish, things in zip(wishes, found, strict=True)]
                ),
                "skyline moved, in pixels": mean(moved),
            }
        )
    suns = [count_suns(picture, scene.light) for picture, scene in zip(pictures, scenes, strict=True)]
    return {
        "px": PX,
        "steps": steps,
        "skyline between the ends of one postcard, in pixels": mean(apart),
        "more than one sun": rate([number > 1 for number in suns]),
    }


def wishes_for(scene):
    """A thing for each step, as (kind, colour). Signs are left out: words are another matter."""
    rng = np.random.default_rng(scene.seed)
    kinds = rng.choice([kind for kind in KINDS if kind != "sign"], STEPS, replace=False)
    return list(zip(kinds.tolist(), rng.choice(list(COLOURS), STEPS).tolist(), strict=True))


def in_scene(wish, scene):
    """The prompt for a thing in the ground and light of a scene."""
    kind, colour = wish
    return f"{Thing(kind, colour, 0, 0, 0).phrase} on {scene.ground} {LIGHTS[scene.light]}"


def last_window(picture):
    """The square at the right end of a picture."""
    return picture.crop((picture.width - picture.height, 0, *picture.size))


def skylines(pictures):
    """The height of the skyline in the last PX columns of pictures, in pixels from the top: the median of the columns."""
    classes, _ = load_reader().read_pictures([last_window(picture) for picture in pictures])
    return np.median((classes[:, :, -PX:] == LAND).argmax(axis=1), axis=1)


def new_things(pictures):
    """For each picture the things that stand in its last PX columns, as (kind, colour)."""
    windows = [last_window(picture) for picture in pictures]
    new = np.zeros((SIZE, SIZE), bool)
    new[:, -PX:] = True
    readings = (
        Reading(as_pixels(window), *labels, new)
        for window, *labels in zip(windows, *load_reader().read_pictures(windows), strict=True)
    )
    return [[(thing.kind, thing.colour) for thing in things_in(reading, new)] for reading in readings]


def count_suns(picture, light):
    """How many suns or moons stand in the sky: patches of the sun's own colour above the middle."""
    sky = np.asarray(picture, float)[: picture.height // 2]
    patches = connected(np.abs(sky - SUNS[light]).max(axis=2) < NEAR)
    return int((np.bincount(patches[patches > 0]) >= DISC).sum())
