"""Masks: which pixels of a picture are to be made anew.

A mask is a PIL image of mode "L" and of the picture's size: 255 where the model paints, 0 where the picture
stays. Points and boxes are in pixels from the top left corner; a box is (left, top, right, bottom), the last
two exclusive. Where a function takes `size`, give (width, height) or the picture itself.

    mask = masks.grow(masks.ellipse(image, 30, 40, 90, 100), 4)
"""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from .images import as_mask, upright

_DARK, _PAINT = 0, 255
_ANY = [_DARK] + 255 * [_PAINT]  # a table for Image.point: whatever is above 0 is painted


# --- drawing -------------------------------------------------------------------------------------


def box(size, left, top, right, bottom):
    """A filled rectangle."""
    return _draw(size, lambda pen: pen.rectangle(_pixels_of_box(left, top, right, bottom), fill=_PAINT))


def ellipse(size, left, top, right, bottom):
    """The filled ellipse that touches the four sides of the box."""
    return _draw(size, lambda pen: pen.ellipse(_pixels_of_box(left, top, right, bottom), fill=_PAINT))


def stroke(size, points, width):
    """A brush stroke through `points` [(x, y), ...], `width` pixels wide, with round ends."""
    points, radius = [tuple(point) for point in points], width / 2

    def paint(pen):
        pen.line(points, fill=_PAINT, width=round(width), joint="curve")
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_PAINT)

    return _draw(size, paint)


def polygon(size, points):
    """The filled polygon with the corners `points` [(x, y), ...], at least three."""
    points = [tuple(point) for point in points]
    if len(points) < 3:
        raise ValueError(f"A polygon needs at least 3 points, got {len(points)}.")
    return _draw(size, lambda pen: pen.polygon(points, fill=_PAINT))


def from_alpha(image):
    """The mask in a picture's alpha channel: its transparent pixels (alpha below 128) are to be painted.

    This is how an eraser marks a region. Some tools do the reverse and store brush strokes as opaque pixels
    on a transparent layer: `invert` the result then. ValueError if the picture has no alpha channel.
    """
    if "A" not in image.getbands() and "transparency" not in image.info:
        raise ValueError(f"This picture (mode {image.mode!r}) has no alpha channel to take a mask from.")
    alpha = image.convert("RGBA").getchannel("A")
    return alpha.point(lambda value: _PAINT if value < 128 else _DARK)


# --- changing ------------------------------------------------------------------------------------


def invert(mask):
    """Paint what was kept, keep what was painted."""
    return ImageOps.invert(as_mask(mask))


def union(first, *others):
    """Everything that any of the masks paints."""
    result = as_mask(first)
    for other in others:
        other = as_mask(other)
        if other.size != result.size:
            raise ValueError(
                f"Masks of one picture have one size, got {_words(result.size)} and {_words(other.size)}."
            )
        result = ImageChops.lighter(result, other)
    return result


def grow(mask, px):
    """The mask with `px` more pixels in every direction, corners square."""
    return _grown(as_mask(mask), _whole("px", px))


def shrink(mask, px):
    """The mask with `px` fewer pixels at every edge. Edges at the picture's border stay where they are."""
    return ImageOps.invert(_grown(ImageOps.invert(as_mask(mask)), _whole("px", px)))


def feather(mask, px):
    """The mask with a soft border: 255 all over the mask, falling to 0 within `px` pixels outside it.

    For pasting a result back only. The model sees hard masks: it never gets this one.
    """
    half = _whole("px", px) // 2
    # The box of the blur, centred on a masked pixel, lies wholly inside the grown mask: masked pixels stay at
    # 255.
    return _grown(as_mask(mask), half).filter(ImageFilter.BoxBlur(half))


def extend_canvas(image, left=0, top=0, right=0, bottom=0):
    """Room around a picture for the model to fill.

    Margins in pixels. Returns (canvas, mask): the RGB picture on a grey canvas, and the mask of the margins.
    """
    sides = {"left": left, "top": top, "right": right, "bottom": bottom}
    margins = tuple(_whole(name, px) for name, px in sides.items())
    if not any(margins):
        raise ValueError("Nothing to extend: give at least one margin, e.g. right=40.")
    image = upright(image)
    canvas = ImageOps.expand(image, margins, fill=(127, 127, 127))
    return canvas, ImageOps.expand(Image.new("L", image.size, _DARK), margins, fill=_PAINT)


# --- measuring and showing -----------------------------------------------------------------------


def bounding_box(mask):
    """The smallest box (left, top, right, bottom) around the painted pixels; None for an empty mask."""
    return as_mask(mask).getbbox()


def coverage(mask):
    """The painted share of the picture, 0 to 1."""
    return float(np.mean(np.asarray(as_mask(mask)) > 0))


def overlay(image, mask, colour=(230, 60, 160), opacity=0.55):
    """The picture with the mask shown as a coloured film, for looking at. An RGB image."""
    image, mask = upright(image), as_mask(mask)
    if mask.size != image.size:
        raise ValueError(
            f"The mask is {_words(mask.size)}, the picture {_words(image.size)}: they must match."
        )
    film = Image.new("RGB", image.size, colour)
    return Image.composite(film, image, mask.point(lambda value: round(value * opacity)))


# --- helpers -------------------------------------------------------------------------------------


def _draw(size, paint):
    mask = Image.new("L", tuple(getattr(size, "size", size)), _DARK)
    paint(ImageDraw.Draw(mask))
    if mask.getbbox() is None:
        raise ValueError(
            f"Nothing was drawn: the shape lies outside the picture of {_words(mask.size)}, or is empty."
        )
    return mask


def _pixels_of_box(left, top, right, bottom):
    if right <= left or bottom <= top:
        raise ValueError(
            f"A box is (left, top, right, bottom) with left < right and top < bottom, "
            f"got {(left, top, right, bottom)}."
        )
    return left, top, right - 1, bottom - 1  # ImageDraw includes its last pixel


def _grown(mask, px):
    # A blur by a box is above zero wherever the box meets the mask. Rows first, then columns: much faster
    # than MaxFilter, and the same. One box of more than 254 pixels would round to zero, so go there in steps.
    while px > 0:
        step = min(px, 200)
        for radius in ((step, 0), (0, step)):
            mask = mask.filter(ImageFilter.BoxBlur(radius)).point(_ANY)
        px -= step
    return mask


def _whole(name, px):
    if px != int(px) or px < 0:
        raise ValueError(f"{name} must be a whole number of pixels, 0 or more, got {px!r}.")
    return int(px)


def _words(size):
    return f"{size[0]}x{size[1]} pixels"
