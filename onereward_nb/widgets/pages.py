"""What the slider and the player share: a picture that answers to the reader in any page, and has a still.

It is HTML with its pictures inside, not a widget: it needs no kernel and no network, so it goes on working in
a saved or exported page. Where scripts and styles are taken away, as in a notebook that is not trusted yet,
the same HTML shows all its pictures side by side.
"""

import base64
import io
from html import escape
from math import sqrt
from pathlib import Path

from PIL import Image

from ..environment import frozen
from ..grids import Picture
from ..images import upright

PIXELS = 1_500_000  # of all pictures of one output
BYTES = 500_000  # of their files: Colab drops kernels that send much over a megabyte at once
SETTINGS = ({"lossless": True}, {"quality": 90}, {"quality": 75}, {"quality": 50})  # the first that fits
SMALLEST, LARGEST = 384, 640  # CSS pixels of the longer side on the page
# On each control itself: JupyterLab looks from the focused element upwards, and its shortcuts match there.
OWN_KEYS = 'data-lm-suppress-shortcuts="true"'


class InPage(Picture):
    """A `Picture` that answers to the reader. `html` is the live part; `image` and `alt` are of the still."""

    def __init__(self, html, still):
        super().__init__(still.image, still.alt)
        self.html = html

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = super()._repr_mimebundle_()
        # Stored outputs hold the still alone: HTML would be compared to the last byte, and pixels differ in
        # their last bits between processors. A PNG is compared by its fingerprint, and is smaller, too.
        if not frozen():
            data["text/html"] = self.html
        return data, metadata


def of_one_size(pictures, names):
    """Pictures of any kind as RGB images; ValueError, with their names, if the sizes differ."""
    images = [upright(picture) for picture in pictures]
    first = images[0]
    for image, name in zip(images, names, strict=True):
        if image.size != first.size:
            raise ValueError(
                f"{names[0]} is {first.width}x{first.height} pixels, {name} {image.width}x{image.height}: "
                "they must have one size. Bring them to it with image.resize(...) or image.crop(...)."
            )
    return images


def img_tags(images, words):
    """One <img> for each image, its file inside and `words` as its alternative text."""
    width = max(96, 576 // len(images))  # for pages without styles: in a row, or a contact sheet
    return [
        f'<img width="{width}" alt="{escape(text)}" '
        f'src="data:image/webp;base64,{base64.b64encode(file).decode()}">'
        for file, text in zip(_files(images), words, strict=True)
    ]


def shown_width(image):
    """CSS pixels that a picture is wide on the page: small ones are enlarged, large ones are not."""
    longer = max(image.size)
    return round(image.width * min(max(longer, SMALLEST), LARGEST) / longer)


def stylesheet():
    """The <style> of slider and player."""
    return f"<style>{beside('pages.css')}</style>"


def beside(name):
    """The text of a file that lies beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _files(images):
    """The images as WebP, together at most about `BYTES`; small ones lose nothing."""
    scale = min(1, sqrt(PIXELS / sum(image.width * image.height for image in images)))
    size = [max(1, int(side * scale)) for side in images[0].size]
    if scale < 1:
        images = [image.resize(size, Image.Resampling.LANCZOS) for image in images]
    for settings in SETTINGS:
        files = [_webp(image, settings) for image in images]
        if sum(map(len, files)) <= BYTES:
            break
    return files


def _webp(image, settings):
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **settings)
    return buffer.getvalue()
