"""Draws a scene, the same picture every time, at any size.

Everything is drawn with Pillow at several times the wanted size and averaged down, which smooths the edges.
"""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageChops

from .drawings import DRAWINGS
from .landscape import backdrop, draw_hills, shadows
from .pen import Pen, Stencil, sunward
from .scenes import make_scene


def render(scene, size=128):
    """The scene as a picture.

    scene: a Scene, or a seed to make one from.
    size: the side in pixels, 64 to 1024.
    Returns a PIL image of mode RGB.
    """
    if isinstance(scene, int):
        scene = make_scene(scene)
    check_size(size)
    detail = 4 if size <= 256 else 2
    picture = backdrop(scene, size).resize((size * detail, size * detail), Image.Resampling.BICUBIC)
    pen = Pen(picture, scene)
    draw_hills(pen, scene)
    darken(picture, shadows(scene, size), detail)
    for thing in scene.things:
        DRAWINGS[thing.kind](pen, thing)
    return picture.reduce(detail)


def darken(picture, shade, detail):
    """Lay shadows on a picture of `detail` times their size: only around where they are, for most of it has none."""
    if box := shade.getbbox():
        # twice as far as bicubic interpolation reaches: beyond, and at the edges of the part, there is nothing
        left, top = (max(0, v - 4) for v in box[:2])
        part = shade.crop((left, top, min(shade.width, box[2] + 4), min(shade.height, box[3] + 4)))
        mask = part.resize((part.width * detail, part.height * detail), Image.Resampling.BICUBIC)
        picture.paste((24, 26, 52), (left * detail, top * detail), mask)


def check_size(size):
    if not 64 <= size <= 1024:
        raise ValueError(f"size is {size} pixels: a postcard is drawn at 64 to 1024 pixels a side")


def visible_difference(scene, other, size=128, threshold=6):
    """Where two scenes look different: a PIL mask, 255 where any channel differs by over threshold."""
    difference = ImageChops.difference(render(scene, size), render(other, size))
    changed = np.asarray(difference).max(axis=2) > threshold
    return Image.fromarray((changed * 255).astype(np.uint8))


def silhouette(thing, size=128, shadow_of=None, lit_by=None):
    """The pixels that a thing covers, as a PIL mask of mode L.

    shadow_of: the scene whose light throws the thing's shadow, to count the shadow in.
    lit_by: the scene whose sun decides on which side the chimney stands; without one, the sun is right.
    """
    stencil = Image.new("RGB", (2 * size, 2 * size))
    DRAWINGS[thing.kind](Stencil(stencil, sunward(lit_by) if lit_by else 1), thing)
    covered = np.asarray(stencil.reduce(2).getchannel(0)) > 90
    if shadow_of is not None:
        covered |= np.asarray(shadows(replace(shadow_of, things=(thing,)), size)) > 4
    return Image.fromarray((covered * 255).astype(np.uint8))
