"""A picture as the browser gets it to draw on: small enough for one message, while Python keeps the original."""

import io

from .png import LIMIT

SIDE = 2048  # pixels of the longer side
LOSSLESS_SIDE = 512  # up to this, the colours that the editor's "fill" compares are the picture's own
QUALITIES = (90, 75, 50, 25)  # of larger pictures: the first that fits into one message


def preview(picture):
    """The bytes of a PNG if the picture is small, of a JPEG within limits if not."""
    if max(picture.size) <= LOSSLESS_SIDE:
        return _file(picture, "PNG")
    smaller = picture.copy()
    smaller.thumbnail((SIDE, SIDE))
    for quality in QUALITIES:
        data = _file(smaller, "JPEG", quality=quality)
        if len(data) <= LIMIT:
            break
    return data


def _file(picture, kind, **settings):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()
