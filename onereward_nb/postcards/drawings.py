"""One drawing for each kind of thing."""

import numpy as np

from .scenes import COLOURS, LETTER_WIDTH

INK, WOOD, ROOF, GLASS, TYRE = (34, 36, 44), (124, 84, 54), (140, 66, 56), (196, 226, 244), (38, 38, 46)


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
