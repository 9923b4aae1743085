"""Draws a scene, the same picture every time, at any size.

Everything is drawn with Pillow at several times the wanted size and averaged down, which smooths the edges.
"""

from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from .scenes import COLOURS, LETTER_WIDTH, make_scene

SKIES = {  # colours from the top of the sky to the horizon
    "day": ((86, 160, 236), (150, 204, 248), (222, 240, 252)),
    "sunset": ((92, 70, 140), (216, 112, 112), (252, 184, 112)),
    "night": ((12, 14, 44), (28, 34, 84), (58, 64, 120)),
    "dawn": ((146, 166, 224), (214, 194, 226), (252, 220, 206)),
}
GROUNDS = {  # colours of the ground at the horizon and at the viewer's feet, and of the hills
    "grass": ((112, 184, 92), (66, 138, 62), (70, 142, 88)),
    "sand": ((236, 212, 150), (206, 170, 104), (190, 160, 116)),
    "snow": ((246, 249, 253), (206, 216, 232), (178, 192, 214)),
}
TINTS = {
    "day": (1, 1, 1),
    "sunset": (0.98, 0.86, 0.82),
    "night": (0.60, 0.60, 0.74),
    "dawn": (0.96, 0.92, 0.96),
}
SUNS = {"day": (255, 244, 170), "sunset": (255, 214, 120), "night": (244, 242, 222), "dawn": (255, 234, 176)}
CLOUDS = {"day": (255, 255, 255), "sunset": (255, 196, 170), "night": (90, 96, 140), "dawn": (255, 226, 220)}
LAMP = (255, 222, 120)  # a lit window at night
INK, WOOD, ROOF, GLASS, TYRE = (34, 36, 44), (124, 84, 54), (140, 66, 56), (196, 226, 244), (38, 38, 46)


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
    picture.paste((24, 26, 52), mask=shadows(scene, size).resize(picture.size, Image.Resampling.BICUBIC))
    for thing in scene.things:
        DRAWINGS[thing.kind](pen, thing)
    return picture.reduce(detail)


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
    covered = np.asarray(stencil.reduce(2)).max(axis=2) > 90
    if shadow_of is not None:
        covered |= np.asarray(shadows(replace(shadow_of, things=(thing,)), size)) > 4
    return Image.fromarray((covered * 255).astype(np.uint8))


def sunward(scene):
    """The side that the sun is on: 1 right, -1 left."""
    return 1 if scene.sun[0] > 0.5 else -1


class Pen:
    """Draws shapes given in fractions of the picture's side, in the scene's light."""

    def __init__(self, picture, scene):
        self.scene, self.side = scene, picture.size[0]
        self.canvas = ImageDraw.Draw(picture)
        self.tint = np.array(TINTS[scene.light])
        self.sunward = sunward(scene)

    def lit(self, colour, brightness=1.0):
        """A colour as this light shows it; brightness under 1 darkens, over 1 mixes with white."""
        colour = np.array(colour, float)
        colour = colour * brightness if brightness <= 1 else 255 - (255 - colour) * (2 - brightness)
        return tuple(int(value) for value in np.clip(colour * self.tint, 0, 255))

    def lamp(self, colour):
        """The colour of glass and headlights: lit from inside at night."""
        return LAMP if self.scene.light == "night" else self.lit(colour)

    def polygon(self, points, colour):
        self.canvas.polygon([(x * self.side, y * self.side) for x, y in points], fill=colour)

    def ellipse(self, x, y, rx, ry, colour):
        self.canvas.ellipse([v * self.side for v in (x - rx, y - ry, x + rx, y + ry)], fill=colour)

    def box(self, left, top, right, bottom, colour, radius=0.0):
        corners = [v * self.side for v in (left, top, right, bottom)]
        self.canvas.rounded_rectangle(corners, radius * self.side, fill=colour)

    def line(self, points, width, colour):
        joined = [(x * self.side, y * self.side) for x, y in points]
        self.canvas.line(joined, fill=colour, width=max(1, round(width * self.side)), joint="curve")

    def letters(self, word, x, y, cell, height, colour):
        """A word in letters of equal width around the point (x, y)."""
        font = load_font(round(height * self.side))
        for place, letter in enumerate(word):
            middle = x + (place - (len(word) - 1) / 2) * cell
            self.canvas.text((middle * self.side, y * self.side), letter, font=font, fill=colour, anchor="mm")


class Stencil(Pen):
    """A pen that draws everything white, whatever the light."""

    def __init__(self, picture, sunward):
        self.side, self.canvas, self.sunward = picture.size[0], ImageDraw.Draw(picture), sunward

    def lit(self, colour, brightness=1.0):
        return (255, 255, 255)

    lamp = lit


@lru_cache(maxsize=64)
def load_font(size):
    """DejaVu Sans Mono Bold, which Matplotlib brings along; size in pixels."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSansMono-Bold.ttf"), size)


@cache
def pixel_grid(size):
    """x and y of the pixel centres, in fractions of the side: two float arrays of size x size."""
    ticks = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return np.meshgrid(ticks, ticks)


def backdrop(scene, size):
    """Sky, sun or moon, stars and clouds, as an RGB image of size x size."""
    x, y = pixel_grid(size)
    stops = np.array(SKIES[scene.light], np.float32)
    height = np.clip(y[:, 0] / scene.horizon, 0, 1)
    sky = np.stack([np.interp(height, (0, 0.55, 1), stops[:, channel]) for channel in range(3)], axis=-1)
    picture = np.repeat(sky[:, None, :], size, axis=1)

    distance = np.hypot(x - scene.sun[0], y - scene.sun[1])
    glow = 0.45 * np.exp(-((distance / 0.17) ** 2)) * (0.6 if scene.light == "night" else 1)
    disc = np.clip((0.056 - distance) * size + 0.5, 0, 1)
    cover = np.maximum(glow, disc)[..., None]
    picture = picture * (1 - cover) + np.array(SUNS[scene.light], np.float32) * cover
    if scene.light == "night":
        add_stars(picture, scene, x, y)
    for cloud in scene.clouds:
        cover = 0.88 * cloud_cover(cloud, x, y, size)[..., None]
        picture = picture * (1 - cover) + np.array(CLOUDS[scene.light], np.float32) * cover
    return Image.fromarray(picture.round().astype(np.uint8))


def add_stars(picture, scene, x, y):
    """Some thirty stars of different brightness, none on the moon."""
    rng = np.random.default_rng(scene.seed)
    size = len(picture)
    for across, down, light in rng.uniform(size=(34, 3)):
        down *= scene.horizon * 0.9
        if np.hypot(across - scene.sun[0], down - scene.sun[1]) < 0.1:
            continue
        column, row, reach = int(across * size), int(down * size), max(2, size // 40)
        near = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        distance = np.hypot(x[near] - across, y[near] - down)
        cover = np.clip((0.0045 + 0.003 * light - distance) * max(size, 128) + 0.5, 0, 1)[..., None] * (
            0.5 + 0.5 * light
        )
        picture[near] = picture[near] * (1 - cover) + np.array((250, 248, 226), np.float32) * cover


def cloud_cover(cloud, x, y, size):
    """A cloud of four puffs on a flat base: its cover of each pixel, 0 to 1."""
    middle, base, width = cloud
    distance = np.full_like(x, np.inf)
    for shift, rise, radius in (
        (-0.3, 0.10, 0.15),
        (-0.05, 0.20, 0.22),
        (0.2, 0.13, 0.17),
        (0.38, 0.07, 0.10),
    ):
        puff = np.hypot(x - middle - shift * width, y - base + rise * width * 0.5) - radius * width
        distance = np.minimum(distance, puff)
    distance = np.maximum(distance, y - base)
    return np.clip(0.5 - distance * size / 1.6, 0, 1)


def hill_line(scene, row):
    """The outline of the far hills (row 0) or of the ground before them (row 1): x and y at 65 places."""
    x = np.linspace(0, 1, 65)
    a, b, c = scene.hills[3 * row : 3 * row + 3]
    tall, foot = ((0.085, 0.0), (0.028, 0.028))[row]
    wave = 0.5 * np.sin(5.2 * x + a) + 0.3 * np.sin(9.1 * x + b) + 0.2 * np.sin(14.3 * x + c)
    return x, scene.horizon + foot - (0.6 + 0.5 * wave) * tall


def draw_hills(pen, scene):
    """Far hills in the haze, then the ground, brighter where it is far."""
    near, far = (np.array(colour) for colour in GROUNDS[scene.ground][1::-1])
    haze = np.array(SKIES[scene.light][2]) / np.array(TINTS[scene.light])
    hills = 0.72 * np.array(GROUNDS[scene.ground][2]) + 0.28 * np.clip(haze, 0, 255)
    pen.polygon([(0, 1), *zip(*hill_line(scene, 0), strict=True), (1, 1)], pen.lit(hills))
    outline = list(zip(*hill_line(scene, 1), strict=True))
    bands = 28
    for band in range(bands):
        share = band / (bands - 1)
        colour = pen.lit(near + (far - near) * share)
        top = scene.horizon + 0.028 + (1 - scene.horizon) * (band / bands)
        pen.polygon([(0, 1), *(outline if band == 0 else ((0, top), (1, top))), (1, 1)], colour)


def shadows(scene, size):
    """The soft shadows of all things on the ground, as a mask of mode L."""
    layer = Image.new("L", (size, size))
    canvas = ImageDraw.Draw(layer)
    for thing in scene.things:
        if thing.kind == "balloon":
            continue
        reach = {"sign": 0.3, "tree": 0.36, "flower": 0.3}.get(thing.kind, 0.52) * thing.width
        away = np.clip((thing.x - scene.sun[0]) * 0.5, -0.25, 0.25) * thing.width
        flat = 0.055 * thing.size + 0.008
        box = (thing.x + away - reach, thing.y - flat, thing.x + away + reach, thing.y + flat)
        canvas.ellipse([v * size for v in box], fill=96)
    return layer.filter(ImageFilter.GaussianBlur(0.011 * size))


def draw_house(pen, house):
    x, y, s = house.x, house.y, house.size
    colour = COLOURS[house.colour]
    left, right, eaves = x - 0.42 * s, x + 0.42 * s, y - 0.58 * s
    side = pen.sunward
    pen.box(
        x - side * 0.28 * s - 0.06 * s,
        y - 0.98 * s,
        x - side * 0.28 * s + 0.06 * s,
        y - 0.66 * s,
        pen.lit(ROOF, 0.8),
    )
    pen.box(left, eaves, right, y, pen.lit(colour))
    shade = (left, left + 0.16 * s) if side > 0 else (right - 0.16 * s, right)
    pen.box(shade[0], eaves, shade[1], y, pen.lit(colour, 0.82))
    pen.polygon([(x - 0.5 * s, eaves), (x, y - s), (x + 0.5 * s, eaves)], pen.lit(ROOF))
    pen.polygon([(x + side * 0.5 * s, eaves), (x, y - s), (x + side * 0.3 * s, eaves)], pen.lit(ROOF, 1.14))
    pen.box(x - 0.09 * s, y - 0.34 * s, x + 0.09 * s, y, pen.lit(WOOD, 0.8))
    pane = pen.lamp(GLASS)
    for middle in (x - 0.26 * s, x + 0.26 * s):
        pen.box(middle - 0.09 * s, y - 0.44 * s, middle + 0.09 * s, y - 0.24 * s, pen.lit((250, 250, 250)))
        pen.box(middle - 0.065 * s, y - 0.415 * s, middle + 0.065 * s, y - 0.265 * s, pane)


def draw_tree(pen, tree):
    x, y, s = tree.x, tree.y, tree.size
    colour, side = COLOURS[tree.colour], pen.sunward
    pen.polygon(
        [(x - 0.06 * s, y), (x - 0.04 * s, y - 0.5 * s), (x + 0.04 * s, y - 0.5 * s), (x + 0.06 * s, y)],
        pen.lit(WOOD),
    )
    puffs = ((-0.19, 0.5, 0.18), (0.19, 0.5, 0.18), (0.0, 0.6, 0.24), (-0.1, 0.76, 0.19), (0.1, 0.78, 0.19))
    for across, up, radius in puffs:
        pen.ellipse(x + across * s, y - up * s + 0.02 * s, radius * s, radius * s, pen.lit(colour, 0.8))
    for across, up, radius in puffs:
        pen.ellipse(
            x + (across + side * 0.03) * s,
            y - (up + 0.02) * s,
            radius * 0.88 * s,
            radius * 0.88 * s,
            pen.lit(colour),
        )
    pen.ellipse(x + side * 0.12 * s, y - 0.8 * s, 0.08 * s, 0.07 * s, pen.lit(colour, 1.3))


def draw_ball(pen, ball):
    r, side = ball.size / 2, pen.sunward
    x, y = ball.x, ball.y - r
    colour = COLOURS[ball.colour]
    for step, brightness in enumerate((0.72, 0.82, 0.92, 1.0, 1.08, 1.18)):
        shrink = 1 - 0.15 * step
        pen.ellipse(
            x + side * 0.052 * step * r,
            y - 0.062 * step * r,
            shrink * r,
            shrink * r,
            pen.lit(colour, brightness),
        )
    pen.ellipse(x + side * 0.38 * r, y - 0.42 * r, 0.15 * r, 0.12 * r, pen.lit((255, 255, 255)))


def draw_balloon(pen, balloon):
    s, side = balloon.size, pen.sunward
    x, y = balloon.x, balloon.y - 0.67 * s
    colour = COLOURS[balloon.colour]
    sway = [(x + 0.025 * s * np.sin(9 * t), y + (0.33 + 0.34 * t) * s) for t in np.linspace(0, 1, 12)]
    pen.line(sway, 0.006, pen.lit((240, 240, 244)))
    pen.polygon(
        [(x, y + 0.29 * s), (x - 0.05 * s, y + 0.36 * s), (x + 0.05 * s, y + 0.36 * s)], pen.lit(colour, 0.8)
    )
    for step, brightness in enumerate((0.8, 0.9, 1.0, 1.1)):
        shrink = 1 - 0.17 * step
        pen.ellipse(
            x + side * 0.02 * step * s,
            y - 0.028 * step * s,
            0.26 * shrink * s,
            0.33 * shrink * s,
            pen.lit(colour, brightness),
        )
    pen.ellipse(x + side * 0.1 * s, y - 0.16 * s, 0.035 * s, 0.055 * s, pen.lit((255, 255, 255)))


def draw_car(pen, car):
    x, y, s = car.x, car.y, car.size
    colour = COLOURS[car.colour]
    roof = [(-0.3, 0.3), (-0.2, 0.55), (0.14, 0.55), (0.3, 0.3)]
    pen.polygon([(x + a * s, y - b * s) for a, b in roof], pen.lit(colour, 0.86))
    pane = pen.lamp(GLASS)
    pen.polygon(
        [(x + a * s, y - b * s) for a, b in ((-0.25, 0.31), (-0.175, 0.51), (-0.05, 0.51), (-0.05, 0.31))],
        pane,
    )
    pen.polygon(
        [(x + a * s, y - b * s) for a, b in ((0.0, 0.31), (0.0, 0.51), (0.12, 0.51), (0.24, 0.31))], pane
    )
    pen.box(x - 0.5 * s, y - 0.33 * s, x + 0.5 * s, y - 0.09 * s, pen.lit(colour), radius=0.08 * s)
    pen.box(x - 0.46 * s, y - 0.17 * s, x + 0.46 * s, y - 0.09 * s, pen.lit(colour, 0.78), radius=0.03 * s)
    pen.ellipse(x + 0.45 * s, y - 0.24 * s, 0.035 * s, 0.04 * s, pen.lamp((255, 246, 200)))
    for wheel in (-0.27, 0.27):
        pen.ellipse(x + wheel * s, y - 0.1 * s, 0.105 * s, 0.105 * s, pen.lit(TYRE))
        pen.ellipse(x + wheel * s, y - 0.1 * s, 0.05 * s, 0.05 * s, pen.lit((200, 204, 212)))


def draw_flower(pen, flower):
    x, y, s = flower.x, flower.y, flower.size
    colour, stem = COLOURS[flower.colour], (52, 120, 60)
    top = y - 0.71 * s
    pen.line([(x, y), (x, top)], 0.05 * s, pen.lit(stem))
    for side in (-1, 1):
        pen.polygon(
            [(x, y - 0.1 * s), (x + side * 0.2 * s, y - 0.3 * s), (x + side * 0.09 * s, y - 0.1 * s)],
            pen.lit(stem, 1.1),
        )
    for angle in np.arange(6) * np.pi / 3 + 0.3:
        pen.ellipse(
            x + 0.165 * s * np.cos(angle),
            top + 0.165 * s * np.sin(angle),
            0.115 * s,
            0.115 * s,
            pen.lit(colour, 0.84),
        )
        pen.ellipse(
            x + 0.16 * s * np.cos(angle),
            top + 0.16 * s * np.sin(angle),
            0.095 * s,
            0.095 * s,
            pen.lit(colour),
        )
    centre = (120, 74, 40) if flower.colour in ("yellow", "orange") else (250, 206, 60)
    pen.ellipse(x, top, 0.085 * s, 0.085 * s, pen.lit(centre))


def draw_sign(pen, sign):
    left, top, right, bottom = sign.box
    face = sign.face
    s = sign.size
    pen.box(sign.x - 0.045 * s, face[3], sign.x + 0.045 * s, bottom, pen.lit(WOOD))
    rim = face[0] - left
    pen.box(left, top, right, face[3] + rim, pen.lit(COLOURS[sign.colour]), radius=0.07 * s)
    pen.box(*face, pen.lit((250, 248, 240)), radius=0.04 * s)
    pen.letters(sign.word, sign.x, (face[1] + face[3]) / 2, LETTER_WIDTH * s, 0.49 * s, pen.lit(INK))


DRAWINGS = {
    "house": draw_house,
    "tree": draw_tree,
    "ball": draw_ball,
    "balloon": draw_balloon,
    "car": draw_car,
    "flower": draw_flower,
    "sign": draw_sign,
}
