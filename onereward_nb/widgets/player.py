"""Pictures one after another, such as the steps of denoising, played in the page."""

from html import escape

import numpy as np
from PIL import Image

from ..grids import grid
from .pages import OWN_KEYS, InPage, beside, img_tags, of_one_size, shown_width, stylesheet

STILLS = 6  # frames in the still picture


def player(frames, labels=None, fps=8):
    """Frames with a play button and a slider, to watch or to step through.

    It plays once when it comes into view, unless the reader's system asks for less motion, and shows the last
    frame. The space bar plays and pauses, arrow keys step. All frames are sent once and stay in the page, so
    it works in saved pages too. Six frames in a row are what files and pages without scripts show.

    Args:
        frames: a list of pictures of any kind that `onereward_nb.images` reads, of one size, in order.
        labels: one text for each frame; by default "step 1", "step 2", ...
        fps: frames shown in a second, above 0.

    Returns:
        An `InPage` picture, which a notebook shows when it is the last value of a cell.

    Raises:
        ValueError if there is no frame, sizes differ, labels don't fit, or fps is not above 0; TypeError for a single
        picture.
    """
    if isinstance(frames, Image.Image):
        raise TypeError("frames is one picture: give a list of pictures, in order.")
    frames = list(frames)
    if not frames:
        raise ValueError("No frames to play: the list is empty. Give at least one picture.")
    labels = [f"step {i + 1}" for i in range(len(frames))] if labels is None else list(map(str, labels))
    if len(labels) != len(frames):
        raise ValueError(f"{len(labels)} labels for {len(frames)} frames: give one for each.")
    if not fps > 0:
        raise ValueError(f"fps={fps!r} frames in a second: give a number above 0, e.g. 8.")
    images = of_one_size(frames, [f"frame {i}" for i in range(len(frames))])
    return InPage(_html(images, labels, fps), _still(images, labels))


def _still(images, labels):
    chosen = np.linspace(0, len(images) - 1, min(STILLS, len(images))).round().astype(int)
    titles = [labels[i] for i in chosen]
    alt = f"{len(chosen)} of {len(images)} frames: {'; '.join(titles)}"
    return grid([images[i] for i in chosen], titles, columns=STILLS, alt=alt)


def _html(images, labels, fps):
    last = len(images) - 1
    return f"""{stylesheet()}
<div class="onr-page onr-player" style="--width: {shown_width(images[0])}px" data-fps="{fps:g}"
  role="group" aria-label="{len(images)} frames">
<div class="onr-stage">{"".join(img_tags(images, labels))}</div>
<div class="onr-controls" hidden="hidden"><button {OWN_KEYS} type="button" aria-label="Play"></button><input
  {OWN_KEYS} type="range" min="0" max="{last}" value="{last}" aria-label="Frame"><span
  aria-hidden="true">{escape(labels[-1])}</span></div>
<p class="onr-without-style">{escape(labels[0])} to {escape(labels[-1])}: run the cell to play them</p>
</div><script>{beside("player.js")}</script>"""
