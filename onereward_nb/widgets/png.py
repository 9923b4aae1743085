"""Masks as PNG files of one bit per pixel: what the browser sends, and what is kept on disk.

A file also says by how many pixels the picture had been extended on each side when the mask was drawn.
"""

import io
import struct
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..images import as_mask

LIMIT = 1_000_000  # bytes of one message: Colab drops kernels that send much more
NO_MARGINS = (0, 0, 0, 0)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MODES = ("1", "L")


def encode(mask, margins=NO_MARGINS):
    """The mask as the bytes of a PNG. margins: (left, top, right, bottom), pixels by which it was extended."""
    said = PngInfo()
    if any(margins):
        said.add_text("margins", " ".join(map(str, margins)))
    buffer = io.BytesIO()
    mask.convert("1", dither=Image.Dither.NONE).save(buffer, "PNG", pnginfo=said)
    return buffer.getvalue()


def decode(data, size):
    """The mask in `data`, bytes that the browser sent. size: the (width, height) that it must have.

    ValueError, in words for the person who drew, for what is no black and white PNG of that size.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError(f"the browser sent {len(data)} bytes that are no PNG file")
    if len(data) > LIMIT:
        raise ValueError(
            f"it takes {len(data) / 1e6:.1f} MB as PNG, the limit is {LIMIT / 1e6:.0f} MB: "
            "smooth it, e.g. by growing it"
        )
    if (found := _size_in_header(data)) != tuple(size):  # before its pixels take any memory
        raise ValueError(f"it is {_words(found)}, expected {_words(size)}: draw it on the picture shown now")
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"the PNG is damaged ({error})") from error
    if image.mode not in _MODES:
        raise ValueError(f"the PNG has mode {image.mode!r}, expected black and white")
    return image.convert("L")


def read(path, size):
    """The mask in a file and its margins, for a picture of `size` (width, height).

    Any picture file will do: a file that `encode` did not write has no margins. FileNotFoundError, or
    ValueError for a file that is damaged or of another size.
    """
    mask = as_mask(path)
    margins = _margins(Image.open(path).info.get("margins", ""))
    expected = extended(size, margins)
    if mask.size != expected:
        raise ValueError(
            f"{Path(path).name!r} holds a mask of {_words(mask.size)}, the picture has {_words(expected)}"
        )
    return mask, margins


def extended(size, margins):
    """The (width, height) of a picture of `size` with margins (left, top, right, bottom)."""
    left, top, right, bottom = margins
    return size[0] + left + right, size[1] + top + bottom


def _size_in_header(data):
    return struct.unpack(">II", data[16:24]) if len(data) >= 24 else (0, 0)


def _margins(text):
    numbers = text.split()
    return tuple(map(int, numbers)) if len(numbers) == 4 and all(map(str.isdecimal, numbers)) else NO_MARGINS


def _words(size):
    return f"{size[0]}x{size[1]} pixels"
