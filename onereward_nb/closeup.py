"""Close-ups: a small region is edited in an enlarged part of the picture, which is then put back in its place.

What a model paints is as coarse as its latents. In a close-up the same region has more of them.

    part, part_mask, box = closeup.enlarge(image, mask, zoom=2)
    image = closeup.put_back(image, mask, run_task(pipe, "text", part, part_mask, "HI"), box)
"""

from PIL import Image

from . import masks
from .images import as_mask, upright


def box_around(mask, zoom):
    """The part of a picture to enlarge: (left, top, right, bottom) in whole pixels, with the mask in its middle.

    It has 1/zoom of the picture's width and height, and is moved where it would reach beyond the picture's edges.
    ValueError if zoom is below 1, or so high that the mask does not fit, or if the mask is empty.
    """
    masked = masks.bounding_box(mask)
    if masked is None:
        raise ValueError("The mask is empty: mark the region to edit in white (255).")
    if zoom < 1:
        raise ValueError(f"zoom is {zoom}: it must be 1 or more.")
    near, far = [], []
    for side, low, high in zip(as_mask(mask).size, masked[:2], masked[2:], strict=True):
        length = round(side / zoom)
        if high - low > length:
            raise ValueError(
                f"zoom is {zoom}: the part would be {length} pixels long, the mask is {high - low}. Zoom in less."
            )
        start = min(max(0, round((low + high - length) / 2)), side - length)
        near.append(start)
        far.append(start + length)
    return *near, *far


def enlarge(image, mask, zoom):
    """The part of a picture around a mask, and that part of the mask, both at the picture's size; and its box.

    ValueError for a mask of another size, and as `box_around`.
    """
    image, mask = upright(image), as_mask(mask)
    if mask.size != image.size:
        mine, its = (f"{width}x{height}" for width, height in (mask.size, image.size))
        raise ValueError(f"The mask is {mine} pixels, the picture {its}: they must match.")
    box = box_around(mask, zoom)
    part = image.resize(image.size, Image.Resampling.LANCZOS, box=box)
    return part, mask.resize(image.size, Image.Resampling.NEAREST, box=box), box


def put_back(image, mask, part, box):
    """The picture with an edited part shrunk back into its box. Pixels outside the mask stay the picture's own."""
    image = upright(image)
    left, top, right, bottom = box
    result = image.copy()
    result.paste(upright(part).resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return Image.composite(result, image, as_mask(mask))
