"""Scenes of the Postcard world: small data structures made from a seed.

A scene is a sky, some hills, a ground and up to four things standing on it. Positions and sizes are
fractions of the picture's side, x to the right and y downwards, so that a scene has no resolution of its own.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

KINDS = ("house", "tree", "ball", "balloon", "car", "flower", "sign")
COLOURS = {
    "red": (224, 46, 46),
    "orange": (246, 130, 20),
    "yellow": (252, 208, 40),
    "green": (44, 156, 72),
    "blue": (36, 108, 224),
    "purple": (130, 70, 190),
    "pink": (246, 122, 176),
    "white": (248, 248, 246),
}
LIGHTS = {"day": "by day", "sunset": "at sunset", "night": "at night", "dawn": "at dawn"}
GROUNDS = ("grass", "sand", "snow")
HORIZONS = (0.50, 0.64)  # height of the ground's edge, as a share of the picture's
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LONGEST_WORD = 4

# Width and height of each kind of thing, as multiples of its size.
SHAPES = {
    "house": (1.0, 1.0),
    "tree": (0.74, 1.0),
    "ball": (1.0, 1.0),
    "balloon": (0.52, 1.0),
    "car": (1.0, 0.56),
    "flower": (0.56, 1.0),
}
SIZES = {
    "house": (0.26, 0.34),
    "tree": (0.28, 0.40),
    "ball": (0.14, 0.21),
    "balloon": (0.28, 0.36),
    "car": (0.32, 0.42),
    "flower": (0.24, 0.31),
    "sign": (0.30, 0.36),
}

# Proportions of a sign, as multiples of its size (its height with the post).
FACE_HEIGHT = 0.58
LETTER_WIDTH = 0.31


@dataclass(frozen=True)
class Thing:
    """One thing in a scene.

    x is the middle and y the foot (where it stands; for a balloon the end of its string), size its height
    (for a car its length), all as fractions of the picture's side. Only signs have a word.
    """

    kind: str
    colour: str
    x: float
    y: float
    size: float
    word: str = ""

    @property
    def width(self):
        if self.kind == "sign":
            return self.size * (LETTER_WIDTH * max(2, len(self.word)) + 0.24)
        return self.size * SHAPES[self.kind][0]

    @property
    def height(self):
        return self.size * SHAPES.get(self.kind, (1, 1))[1]

    @property
    def box(self):
        """Left, top, right, bottom of the thing without its shadow."""
        return (self.x - self.width / 2, self.y - self.height, self.x + self.width / 2, self.y)

    @property
    def face(self):
        """Left, top, right, bottom of the part of a sign that is written on."""
        rim = 0.045 * self.size
        left, top, right, _ = self.box
        return (left + rim, top + rim, right - rim, top + FACE_HEIGHT * self.size - rim)

    @property
    def phrase(self):
        """What a caption calls it, such as `a red ball` or `a blue sign "HI"`."""
        article = "an" if self.colour == "orange" else "a"
        return f"{article} {self.colour} {self.kind}" + (f' "{self.word}"' if self.kind == "sign" else "")


@dataclass(frozen=True)
class Scene:
    """A postcard as data: everything that a renderer needs to draw it at any size.

    light is a key of LIGHTS, ground one of GROUNDS, horizon the height of the ground's edge, sun the place of
    the sun or moon, hills the phases of the two hill lines, clouds (x, y, width) of each cloud,
    things in the order in which they are drawn, the farthest first.
    """

    seed: int
    light: str
    ground: str
    horizon: float
    sun: tuple[float, float]
    hills: tuple[float, ...]
    clouds: tuple[tuple[float, float, float], ...]
    things: tuple[Thing, ...]

    @cached_property
    def caption(self):
        """One sentence: the things from left to right, the ground and the light."""
        names = [thing.phrase for thing in sorted(self.things, key=lambda thing: thing.x)]
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return f"{listed} on {self.ground} {LIGHTS[self.light]}".strip().removeprefix("on ")

    def without(self, thing):
        """The same scene with one thing, and so its shadow, gone."""
        return replace(self, things=tuple(other for other in self.things if other is not thing))

    def with_things(self, *things):
        """The same scene with more things standing in it."""
        return replace(self, things=tuple(sorted(self.things + things, key=lambda thing: thing.y)))


def make_scene(seed, include=(), attempt=0):
    """Draw a scene from a seed.

    seed: a non-negative integer; seeds from 1,000,000 on are held out for evaluation.
    include: kinds of things that must stand in it, at most four.
    attempt: counts the scenes given up because what must stand in them found no room.
    """
    if unknown := set(include) - set(KINDS):
        raise ValueError(f"there is no kind {min(unknown)!r} of thing: there are {', '.join(KINDS)}")
    if len(include) > 4:
        raise ValueError(f"{len(include)} things must stand in one scene: at most four find room")
    if attempt == 200:
        raise ValueError(f"no room for {', '.join(include)} in one scene: ask for fewer or smaller things")
    rng = np.random.default_rng([seed, len(include), attempt])
    horizon = rng.uniform(*HORIZONS)
    light = str(rng.choice(list(LIGHTS)))
    scene = Scene(
        seed=seed,
        light=light,
        ground=str(rng.choice(GROUNDS)),
        horizon=horizon,
        sun=(
            rng.uniform(0.1, 0.9),
            rng.uniform(0.1, 0.2) if light in ("day", "night") else rng.uniform(0.16, 0.34),
        ),
        hills=tuple(rng.uniform(0, 2 * np.pi, 6)),
        clouds=make_clouds(rng, light),
        things=(),
    )
    count = max(len(include), rng.choice(5, p=(0.04, 0.26, 0.36, 0.26, 0.08)))
    wanted = (*include, *rng.choice(KINDS, count - len(include)))
    for kind in wanted:
        thing = place(rng, scene, str(kind))
        if thing is not None:
            scene = scene.with_things(thing)
        elif kind in include:
            return make_scene(seed, include, attempt + 1)
    return scene


def make_clouds(rng, light):
    """Up to three clouds, (x, y, width) each; none at night."""
    count = 0 if light == "night" else rng.integers(0, 4)
    return tuple((rng.uniform(0, 1), rng.uniform(0.06, 0.34), rng.uniform(0.16, 0.32)) for _ in range(count))


def make_word(rng):
    """One to four capital letters, every length and letter as likely as any other."""
    return "".join(rng.choice(list(LETTERS), rng.integers(1, LONGEST_WORD + 1)))


def place(rng, scene, kind, colour=None, word=None):
    """A thing of this kind at a free place of the scene, or None where there is no room for it.

    Things on the ground grow towards the viewer. A balloon hangs in the sky.
    """
    colour = colour or str(rng.choice(list(COLOURS)))
    word = (word or make_word(rng)) if kind == "sign" else ""
    for _ in range(30):
        size = rng.uniform(*SIZES[kind])
        if kind == "balloon":
            y = rng.uniform(0.06, 0.26) + size
        else:
            depth = rng.uniform(0, 1)
            y = scene.horizon + 0.08 + depth * (0.86 - scene.horizon)
            size *= 0.9 + 0.2 * depth
        thing = Thing(kind, colour, 0.5, y, size, word)
        reach = thing.width / 2 + 0.03
        thing = replace(thing, x=rng.uniform(reach, 1 - reach))
        if all(apart(thing, other) for other in scene.things):
            return thing
    return None


def apart(a, b):
    """Whether two things keep their distance, shadows included."""
    (a_left, a_top, a_right, a_bottom), (b_left, b_top, b_right, b_bottom) = a.box, b.box
    gap, below = 0.03, 0.04  # below, there is room for a shadow
    beside = a_right + gap < b_left or b_right + gap < a_left
    return beside or a_bottom + below < b_top or b_bottom + below < a_top
