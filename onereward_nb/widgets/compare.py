"""Before and after in one place, with a slider between them."""

from ..grids import grid
from .pages import OWN_KEYS, InPage, img_tags, of_one_size, shown_width, stylesheet

NAMES = ["before", "after", "target"]


def compare(before, after, target=None):
    """Two pictures on top of each other, with a slider that uncovers one or the other.

    The slider is moved by pointer, finger or arrow keys, and works in saved pages too. A still picture beside
    it, all pictures in a row, is what files and pages without styles show.

    Args:
        before, after: pictures of any kind that `onereward_nb.images` reads, of one size.
        target: the true result, if there is one; buttons then choose which two to compare.

    Returns:
        An `InPage` picture, which a notebook shows when it is the last value of a cell.

    Raises:
        ValueError if the sizes differ; TypeError for what is not a picture.
    """
    names = NAMES if target is not None else NAMES[:2]
    images = of_one_size([before, after, target][: len(names)], names)
    return InPage(_html(images, names), grid(images, names))


def _html(images, names):
    layers = "".join(
        f'<span class="onr-{name}" data-name="{name}">{tag}</span>'
        for name, tag in zip(names, img_tags(images, names), strict=True)
    )
    pairs = [("before", "after"), ("before", "target"), ("after", "target")] if "target" in names else []
    return f"""{stylesheet()}
<form class="onr-page onr-compare" style="--width: {shown_width(images[0])}px" data-pair="before after"
  role="group" aria-label="{", ".join(names)}" onsubmit="return false">
<div class="onr-stage">{layers}<input hidden="hidden" {OWN_KEYS} type="range" min="0" max="100" step="any" value="50"
  aria-label="Percent of the width that shows the picture on the left"
  oninput="this.form.style.setProperty('--at', this.value + '%')"><span class="onr-handle"></span></div>
{_choice(pairs) if pairs else ""}<p class="onr-without-style">{", ".join(names)}: run the cell to get the slider</p>
</form>"""


def _choice(pairs):
    buttons = "".join(
        f'<label><input {OWN_KEYS} type="radio" name="pair" value="{left} {right}"{" checked" * (i == 0)} '
        f'onchange="this.form.dataset.pair = this.value"><span>{left} | {right}</span></label>'
        for i, (left, right) in enumerate(pairs)
    )
    return f'<div class="onr-controls" hidden="hidden" role="radiogroup" aria-label="Which two">{buttons}</div>\n'
