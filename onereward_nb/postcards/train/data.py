"""Training pictures, masks and prompts, drawn by several processes and kept in files."""

from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

import numpy as np
from PIL import Image, ImageFilter

from ...tasks import TASKS
from .. import hands
from ..examples import example, face_mask, words_prompt
from ..rendering import render, silhouette
from ..scenes import LIGHTS, make_scene

SIZE = 128
FIRST_HELD_OUT_SEED = 1_000_000
MASKS_PER_SCENE = 6
SPOILED_SHARE = 0.04
CHUNK = 64  # seeds that a process takes at a time; so few are drawn sooner than one has started


def scene_edits(seed):
    """The edits of one scene: masks over things, signs, margins and empty places, captioned as for FLUX Fill.

    The fixed prompts of removal and of extension without a prompt never occur, and where a mask would fit a
    thing there is a thing: what removal needs is left for reinforcement learning to teach.

    Returns the pictures, uint8 (n, 128, 128, 3); and for each edit the index of its picture, its mask, uint8
    (2048,) of packed bits, and its prompt.
    """
    rng = np.random.default_rng([seed, 5])
    scene = make_scene(seed, ("sign",) if rng.random() < 0.5 else ())
    pictures, edits = [render(scene, SIZE)], []
    for _ in range(MASKS_PER_SCENE):
        mask, prompt = captioned_mask(scene, rng)
        if rng.random() < SPOILED_SHARE:
            spoiled, prompt = spoil(pictures[0], mask, prompt, rng)
            pictures.append(spoiled)
            shown = len(pictures) - 1
        else:
            shown = 0
        if rng.random() < 0.1:
            prompt = ""  # so that the model also learns what stands there unasked
        edits.append((shown, np.packbits(np.asarray(mask) > 127), prompt))
    return np.stack([np.asarray(picture) for picture in pictures]), edits


def captioned_mask(scene, rng):
    """A mask, and what it hides in words."""
    signs = [thing for thing in scene.things if thing.kind == "sign"]
    draw = rng.random()
    if signs and draw < 0.2:
        sign = signs[rng.integers(len(signs))]
        return face_mask(sign, SIZE, rng), words_prompt(sign)
    if scene.things and draw < 0.52:
        thing = scene.things[rng.integers(len(scene.things))]
        shape = silhouette(thing, SIZE, shadow_of=scene if rng.random() < 0.75 else None)
        return hands.around(shape, rng), thing.phrase
    if draw < 0.95:
        return hands.margins(SIZE, hands.random_sides(rng)), scene.caption
    return empty_place(scene, rng)


def task_edit(task, seed):
    """An example of a task without its truth, for reinforcement learning: picture, mask (arrays) and prompt."""
    edit = example(task, seed, SIZE)
    return np.asarray(edit.image), np.asarray(edit.mask), TASKS[task].prompt_for(edit.prompt)


def empty_place(scene, rng):
    """A box in the sky or on the ground, called so; or by the scene's caption where a thing stands in it."""
    sky = rng.random() < 0.5
    shape = Image.new("L", (SIZE, SIZE))
    middle = (
        rng.uniform(0.2, 0.8),
        rng.uniform(0.1, scene.horizon - 0.2) if sky else rng.uniform(scene.horizon + 0.15, 0.9),
    )
    reach = rng.uniform(0.05, 0.14, 2)
    corners = [round(SIZE * v) for v in (*np.subtract(middle, reach), *np.add(middle, reach))]
    shape.paste(255, corners)
    occupied = any(
        np.any(np.asarray(silhouette(thing, SIZE, scene)) & np.asarray(shape)) for thing in scene.things
    )
    place = f"{'the sky' if sky else scene.ground} {LIGHTS[scene.light]}"
    return shape, scene.caption if occupied else place


def spoil(picture, mask, prompt, rng):
    """The picture with its masked part done badly, and the prompt that says so.

    This is what negative prompts point away from.
    """
    if rng.random() < 0.5:
        bad, word = picture.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 3))), "blurry"
    else:
        noise = rng.normal(0, rng.uniform(15, 40), (SIZE, SIZE, 3))
        bad = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
        word = "low quality"
    return Image.composite(bad, picture, mask), word if rng.random() < 0.3 else f"{prompt}, {word}"


def draw_in_parallel(draw, seeds):
    """draw(seed) for every seed, in order, by as many processes as there are cores: iterates over results."""
    if max(seeds) >= FIRST_HELD_OUT_SEED:
        raise ValueError(
            f"seed {max(seeds)} is held out for evaluation: train on seeds below {FIRST_HELD_OUT_SEED}"
        )
    if len(seeds) <= CHUNK:
        yield from map(draw, seeds)
        return
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw, seeds, chunksize=CHUNK)


def training_edits(seeds, scenes_each=5000):
    """The edits of many scenes, a part at a time, as arrays that share their pictures.

    The next scenes are drawn while the caller works on a part: all of them would not fit in memory.

    Yields pictures, uint8 (p, 128, 128, 3); shown, int64 (e,), the picture of each edit; masks, uint8
    (e, 2048), packed bits; prompts, a list of e strings.
    """
    scenes = draw_in_parallel(scene_edits, seeds)
    while part := list(islice(scenes, scenes_each)):
        pictures, edits = zip(*part, strict=True)
        first = np.cumsum([0, *map(len, pictures[:-1])])
        shown = [start + index for start, some in zip(first, edits, strict=True) for index, _, _ in some]
        masks, prompts = zip(*((mask, prompt) for some in edits for _, mask, prompt in some), strict=True)
        yield np.concatenate(pictures), np.array(shown), np.stack(masks), list(prompts)


def training_pictures(seeds):
    """Whole pictures for the VAE, some with a hole of the VAE's grey: uint8, (len(seeds), 128, 128, 3)."""
    return np.stack(list(draw_in_parallel(picture_for_vae, seeds)))


def picture_for_vae(seed):
    rng = np.random.default_rng([seed, 6])
    scene = make_scene(seed, ("sign",) if rng.random() < 0.6 else ())
    picture = render(scene, SIZE)
    if rng.random() < 0.25:
        mask = hands.margins(SIZE, hands.random_sides(rng))
        if scene.things and rng.random() < 0.7:
            mask = hands.around(silhouette(scene.things[0], SIZE), rng)
        picture.paste((128, 128, 128), mask=mask)
    return np.asarray(picture)
