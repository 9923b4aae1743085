"""What a reader sees of the slider and the player on a page."""

import io

from PIL import Image

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255)}


def across(page, *places):
    """The names of the colours at these fractions of the picture's width, below handle and labels."""
    shot = page.locator(".onr-stage").first.screenshot()
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    colours = [image.getpixel((int(place * image.width), int(0.9 * image.height))) for place in places]
    names = {colour: name for name, colour in COLOURS.items()}
    return [names.get(colour, colour) for colour in colours]


def divider(page):
    return page.locator(".onr-compare input[type=range]")


def frame(page):
    """The label and the brightness of the frame that the reader sees."""
    image = Image.open(io.BytesIO(page.locator(".onr-player .onr-stage").screenshot())).convert("RGB")
    label = page.locator(".onr-player .onr-controls span").inner_text()
    return label, image.getpixel((image.width // 2, image.height // 2))[0]
