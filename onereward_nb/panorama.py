"""Pictures that grow wider than the model can see at once.

The model sees a square window at the right end of the picture: the last of what is there, and an empty margin.
"""

import torch
from PIL import Image

from .masks import extend_canvas


def extend_right(pipe, pictures, prompts, px, seeds, **overrides):
    """Each picture `px` pixels wider. Call it again and again for a panorama.

    Args:
        pipe: a pipeline from `load_pipeline`.
        pictures: PIL images of one height, the side of the window.
        prompts: for each picture what its whole window is to show, not its new part alone.
        px: the width of what is new, less than the height.
        seeds: for each picture the noise to start from.
        overrides: arguments of the pipeline other than the model's settings.

    Returns:
        A list of PIL images. What was there stays as it is.

    Raises:
        ValueError for no picture, for pictures of different heights, if the window has no room for px, or a picture
        does not fill the rest of it.
    """
    heights = {picture.height for picture in pictures}
    if len(heights) != 1:
        raise ValueError(
            f"pictures have the heights {sorted(heights)}: give at least one, all of one height, the window's side."
        )
    (side,) = heights
    known = side - px
    if not 0 < px < side or any(picture.width < known for picture in pictures):
        raise ValueError(
            f"A window of {side} pixels with {px} new ones shows {known} of what is there: take px from 1 to "
            f"{side - 1}, and pictures at least that wide."
        )
    windows = [picture.crop((picture.width - known, 0, picture.width, side)) for picture in pictures]
    canvases, margins = zip(*(extend_canvas(window, right=px) for window in windows), strict=True)
    filled = pipe(
        prompts,
        image=list(canvases),
        mask_image=margins[0],
        generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        **{**pipe.settings, **overrides},
    ).images
    return [_joined(*pair, px) for pair in zip(pictures, filled, strict=True)]


def _joined(picture, window, px):
    wider = Image.new("RGB", (picture.width + px, picture.height))
    wider.paste(picture)
    wider.paste(window, (wider.width - window.width, 0))
    return wider
