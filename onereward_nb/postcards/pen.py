"""Draws shapes in the light of a scene."""

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import ImageDraw, ImageFont

TINTS = {
    "day": (1, 1, 1),
    "sunset": (0.98, 0.86, 0.82),
    "night": (0.60, 0.60, 0.74),
    "dawn": (0.96, 0.92, 0.96),
}
LAMP = (255, 222, 120)  # a lit window at night


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
