"""What a scene's things stand in: sky, sun, clouds, hills, ground, and the shadows on it."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .pen import TINTS

SKIES = {  # colours from the top of the sky to the horizon
    "day": ((86, 160, 236), (150, 204, 248), (222, 240, 252)),
    "sunset": ((92, 70, 140), (216, 112, 112), (252, 184, 112)),
    "night": ((12, 14, 44), (28, 34, 84), (58, 64, 120)),
    "dawn": ((146, 166, 224), (214, 194, 226), (252, 220, 206)),
}
GROUNDS = {  # colours of the ground at the viewer's feet and at the horizon, and of the hills
    "grass": ((112, 184, 92), (66, 138, 62), (70, 142, 88)),
    "sand": ((236, 212, 150), (206, 170, 104), (190, 160, 116)),
    "snow": ((246, 249, 253), (206, 216, 232), (178, 192, 214)),
}
SUNS = {"day": (255, 244, 170), "sunset": (255, 214, 120), "night": (244, 242, 222), "dawn": (255, 234, 176)}
CLOUDS = {"day": (255, 255, 255), "sunset": (255, 196, 170), "night": (90, 96, 140), "dawn": (255, 226, 220)}


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
    """Far hills in the haze, then the ground, brighter where it is near."""
    near, far = (np.array(colour) for colour in GROUNDS[scene.ground][:2])
    haze = np.array(SKIES[scene.light][2]) / np.array(TINTS[scene.light])
    hills = 0.72 * np.array(GROUNDS[scene.ground][2]) + 0.28 * np.clip(haze, 0, 255)
    pen.polygon([(0, 1), *zip(*hill_line(scene, 0), strict=True), (1, 1)], pen.lit(hills))
    outline = list(zip(*hill_line(scene, 1), strict=True))
    bands = 28
    for band in range(bands):
        share = band / (bands - 1)
        colour = pen.lit(far + (near - far) * share)
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
