"""Pictures side by side, as one small PNG with alternative text."""

import io
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .images import upright

WIDTH = 800  # pixels of a full row
GAP = 8
LINE = 18  # height of a line of text
DITHER = 6 * (np.array([[0, 2], [3, 1]]) / 4 - 3 / 8)  # levels of 255
INK, PAPER, FRAME = "#222222", "#ffffff", "#d0d0d0"


class Picture:
    """A finished picture and its alternative text. `image` is the PIL image, to save or to work on."""

    def __init__(self, image, alt):
        self.image = image
        self.alt = alt

    def __repr__(self):
        return f"{self.alt} ({self.image.width} x {self.image.height} pixels)"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/png": self.png(), "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}

    def png(self):
        """The picture as the bytes of a PNG; the same bytes each time."""
        buffer = io.BytesIO()
        _few_colours(self.image).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


def grid(images, titles=None, row_titles=None, columns=4, alt=None):
    """Pictures side by side, at most 800 pixels wide together; small ones are enlarged up to twice.

    Args:
        images: a picture of any kind that `onereward_nb.images` reads, a list of them, or a list of rows.
        titles: one for each picture, or one for each column.
        row_titles: one for each row, to its left.
        columns: pictures in a row, unless the rows are given.
        alt: alternative text; by default made of the titles.

    Returns:
        A `Picture`.

    Raises:
        ValueError if there is no picture, or the titles fit neither pictures nor columns.
    """
    rows = _rows(images, columns)
    titles_by_row = _titles_by_row(list(titles or []), rows)
    row_titles = row_titles or [""] * len(rows)
    if len(row_titles) != len(rows):
        raise ValueError(f"{len(row_titles)} row titles for {len(rows)} rows: give one for each row.")
    margin = round(max(map(_font().getlength, row_titles)))
    margin += GAP if margin else 0
    columns = max(map(len, rows))
    widest = max(picture.width for row in rows for picture in row)
    width = min((WIDTH - margin + GAP) // columns - GAP, 2 * widest)
    strips = [
        _strip(row, titles, title, width, margin)
        for row, titles, title in zip(rows, titles_by_row, row_titles, strict=True)
    ]
    return Picture(_stack(strips), alt or _in_words(rows, titles, row_titles))


def _few_colours(image):
    """The picture in 256 colours of its own, with a faint 2 x 2 pattern that keeps skies free of rings.

    Diffusing the errors would do so too, at twice the size of the file.
    """
    # the colours of every fourth pixel are those of the picture, found in a fraction of the time
    fewer = image.resize((-(-image.width // 2), -(-image.height // 2)), Image.Resampling.NEAREST)
    palette = fewer.quantize(255, kmeans=3, dither=Image.Dither.NONE)
    colours = palette.getpalette()[: 3 * 255]
    palette.putpalette([*colours, 255, 255, 255])
    pixels = np.asarray(image)
    pattern = np.tile(DITHER, (image.height // 2 + 1, image.width // 2 + 1))[: image.height, : image.width]
    patterned = np.rint(pixels + pattern[..., None]).clip(0, 255).astype(np.uint8)
    stored = Image.fromarray(patterned).quantize(palette=palette, dither=Image.Dither.NONE)
    paper = Image.fromarray((pixels == 255).all(axis=2))
    stored.paste(len(colours) // 3, mask=paper)  # the index of white: paper is as white as the page
    return stored


def _rows(images, columns):
    images = images if isinstance(images, (list, tuple)) else [images]
    if not images:
        raise ValueError("No pictures to show: the list is empty.")
    if not isinstance(images[0], (list, tuple)):
        images = [images[start : start + columns] for start in range(0, len(images), columns)]
    return [[upright(image) for image in row] for row in images]


def _in_words(rows, titles, row_titles):
    kind = "Pictures" if sum(map(len, rows)) > 1 else "Picture"
    in_rows = f" in rows ({', '.join(row_titles)})" if any(row_titles) else ""
    return kind + in_rows + (f": {'; '.join(titles)}" if titles else "")


def _titles_by_row(titles, rows):
    """Titles as one list for each row; those of columns stand in the first row only."""
    count, columns = sum(map(len, rows)), max(map(len, rows))
    if titles and len(titles) not in (count, columns):
        raise ValueError(
            f"{len(titles)} titles for {count} pictures in {columns} columns: give one for each."
        )
    titles = iter(titles)
    return [[next(titles, "") for _ in row] for row in rows]


def _strip(pictures, titles, row_title, width, margin):
    """One row: its title in the margin, each picture with its title above it."""
    heights = [round(picture.height * width / picture.width) for picture in pictures]
    lines = [_wrapped(title, width) for title in titles]
    top = max(LINE * (text.count("\n") + 1) + 4 if text else 0 for text in lines)
    strip = Image.new("RGB", (margin + len(pictures) * (width + GAP) - GAP, top + max(heights)), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((GAP / 2, top + max(heights) / 2), row_title, INK, _font(), anchor="lm")
    for i, (picture, height, text) in enumerate(zip(pictures, heights, lines, strict=True)):
        x = margin + i * (width + GAP)
        strip.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (x, top))
        draw.rectangle((x, top, x + width - 1, top + height - 1), outline=FRAME)
        draw.multiline_text(
            (x + width / 2, top - 5), text, INK, _font(), anchor="md", align="center", spacing=3
        )
    return strip


def _stack(strips):
    height = sum(strip.height for strip in strips) + GAP * (len(strips) - 1)
    sheet = Image.new("RGB", (max(strip.width for strip in strips), height), PAPER)
    y = 0
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height + GAP
    return sheet


def _wrapped(text, width):
    """`text` broken between words so that no line is wider than `width` pixels."""
    lines = []
    for word in str(text).split():
        if lines and _font().getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


@cache
def _font():
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 13)
