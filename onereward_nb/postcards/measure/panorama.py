"""How errors add up when a picture is extended again and again."""

from dataclasses import replace

import numpy as np
from PIL import ImageOps

from ...evaluation import HELD_OUT, mean, rate
from ...panorama import extend_right
from ..comparing import NEAR
from ..landscape import SUNS
from ..reader import LAND, SIZE, load_reader
from ..reading import Reading, as_pixels, connected, things_in
from ..rendering import render
from ..scenes import COLOURS, KINDS, Thing, make_scene

STEPS = 3
PX = 48  # new pixels of each step
BATCH = 8
DISC = 40  # pixels: a patch of the sun's colour that is larger is a sun


def measure(pipe, count):
    """For each step: is the thing asked for there, and how far did the skyline move? And how many suns are there at the end?

    In the first step also with prompts that name the new thing alone. count: panoramas, from the first held-out
    scenes on.
    """
    scenes = [make_scene(seed) for seed in range(HELD_OUT, HELD_OUT + count)]
    wishes = [wishes_for(scene) for scene in scenes]
    pictures = starts = [render(scene) for scene in scenes]
    skyline = skylines(starts)
    planned, steps = scenes, []
    for step in range(STEPS):
        wanted = [wish[step] for wish in wishes]
        planned = [moved_on(*each) for each in zip(planned, wanted, strict=True)]
        pictures = extend(pipe, pictures, planned, step)
        moved = np.abs(skylines(pictures) - skyline)
        steps.append({"thing asked for": there(wanted, pictures), "skyline moved": mean(moved)})
    alone = [replace(scene, things=()) for scene in scenes]
    alone = [moved_on(scene, wish[0]) for scene, wish in zip(alone, wishes, strict=True)]
    suns = [count_suns(picture, scene.light) for picture, scene in zip(pictures, scenes, strict=True)]
    ends_apart = np.abs(skyline - skylines([ImageOps.mirror(picture) for picture in starts]))
    return {
        "px": PX,
        "steps": steps,
        "prompts of the first step": {
            "whole window": steps[0]["thing asked for"],
            "new thing alone": there([wish[0] for wish in wishes], extend(pipe, starts, alone, step=0)),
        },
        "skyline between the ends of one postcard": mean(ends_apart),
        "more than one sun": rate([number > 1 for number in suns]),
    }


def wishes_for(scene):
    """A thing for each step, as (kind, colour). Signs are left out: words are another matter."""
    rng = np.random.default_rng(scene.seed)
    kinds = rng.choice([kind for kind in KINDS if kind != "sign"], STEPS, replace=False)
    return list(zip(kinds.tolist(), rng.choice(list(COLOURS), STEPS).tolist(), strict=True))


def moved_on(scene, wish):
    """What the next window is to show: the things of this one that are still in sight, and a new one on the right.

    Good for its caption, not for drawing: the new thing has no size.
    """
    shift = PX / SIZE
    in_sight = [replace(thing, x=thing.x - shift) for thing in scene.things if thing.x > shift]
    return replace(scene, things=(*in_sight, Thing(*wish, x=1 - shift / 2, y=1, size=0)))


def extend(pipe, pictures, planned, step):
    """Pictures extended by PX, each with the caption of its planned scene as the prompt."""
    longer = []
    for first in range(0, len(pictures), BATCH):
        part = slice(first, first + BATCH)
        prompts = [scene.caption for scene in planned[part]]
        seeds = [scene.seed + step * HELD_OUT for scene in planned[part]]
        longer += extend_right(pipe, pictures[part], prompts, PX, seeds)
    return longer


def there(wanted, pictures):
    """How often the thing asked for stands in the last PX columns."""
    return rate([wish in things for wish, things in zip(wanted, new_things(pictures), strict=True)])


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
