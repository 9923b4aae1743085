"""A mask editor for notebooks: draw in the browser, read the mask in Python.

    editor = MaskEditor(image, autosave="my-mask.png")
    editor              # shown when it is the last value of a cell
    editor.mask         # in any later cell: a PIL image of mode "L", 0 or 255

All drawing happens in the browser (editor.js). When the pointer goes up, one PNG of one bit per pixel comes
to Python, which checks it and answers by counting up `rev`.
"""

import base64
import re
import warnings
from pathlib import Path

import anywidget
import traitlets
from PIL import Image

from .. import masks
from ..environment import frozen
from ..files import write
from ..grids import WIDTH, grid
from ..images import as_mask, upright
from . import png
from .preview import preview

LARGEST_SIDE = 8192  # pixels; twice what is promised to be quick


class _Mask(traitlets.TraitType):
    """A mask of the editor's size. Whoever reads it gets a copy: drawing on that changes no editor."""

    def get(self, obj, cls=None):
        return super().get(obj, cls).copy()

    def validate(self, obj, value):
        return _fitting(value, png.extended(obj._size, obj.margins))


class MaskEditor(anywidget.AnyWidget):
    """Draw a mask on a picture: brush, eraser, rectangle, lasso, polygon, fill, and room around the picture.

    Args:
        image: a picture of any kind that `onereward_nb.images` reads, at most 8192 pixels on a side.
        mask: the mask to start with, of the picture's size; empty by default.
        autosave: path of a PNG file. Each change of the mask is written there, and the mask found there is
            taken up instead of `mask`: a drawing outlives a cell that is run again and a kernel that is
            restarted. Without effect while notebook outputs are stored or compared.
        settings: starting values of `tool`, `erase`, `brush_size`, `tolerance`, `colour`, `opacity`.

    Attributes:
        mask: PIL image of mode "L", 0 or 255, of the size of `image`. Set it to change it, None to clear it;
            `observe(handler, "mask")` hears of changes from either side.
        image: the RGB picture. If extended, on a grey canvas, ready for the task "extend". Set it to edit
            another picture: a mask of its size stays, any other is cleared.
        margins: (left, top, right, bottom), pixels by which the picture is extended. New margins are painted.
        tool: "brush", "rectangle", "lasso", "polygon" or "fill"; with `erase` they take away.
        brush_size: the diameter in pixels of the picture.
        tolerance: 0 to 255, levels by which a colour may differ for "fill" to cover it.
        colour, opacity: of the overlay, as "#rrggbb" and 0 to 1.
        rev: counts the masks that Python has accepted.
        message: what is wrong, as shown below the picture; empty while all is well.

    Raises:
        TypeError, ValueError for what is not a picture or a mask, or does not fit; ValueError for an autosave
        file that is damaged or of another size, which is left as it is.
    """

    _esm = Path(__file__).with_name("editor.js")
    _css = Path(__file__).with_name("editor.css")

    mask = _Mask()
    margins = traitlets.Tuple(*[traitlets.Int(min=0)] * 4, default_value=png.NO_MARGINS).tag(sync=True)
    tool = traitlets.Enum(["brush", "rectangle", "lasso", "polygon", "fill"], "brush").tag(sync=True)
    erase = traitlets.Bool(False).tag(sync=True)
    brush_size = traitlets.Float(12, min=1).tag(sync=True)
    tolerance = traitlets.Int(32, min=0, max=255).tag(sync=True)
    colour = traitlets.Unicode("#e63ca0").tag(sync=True)
    opacity = traitlets.Float(0.55, min=0, max=1).tag(sync=True)
    rev = traitlets.Int(0).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)

    _size = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)  # without margins
    _preview = traitlets.Bytes(b"").tag(sync=True)
    # The mask, whoever drew it last. From the browser it comes as a memoryview, hence CBytes.
    _png = traitlets.CBytes(b"").tag(sync=True, echo_update=False)
    _png_text = traitlets.Unicode("").tag(sync=True, echo_update=False)  # base64, where bytes get lost
    # A count of what the browser has sent, and the margins that it was drawn with.
    _sent = traitlets.Tuple(*[traitlets.Int(min=0)] * 5, default_value=(0,) * 5).tag(sync=True)

    _ipython_display_ = None  # that of ipywidgets 7 would leave out the still picture

    def __init__(self, image, mask=None, autosave=None, **settings):
        for name in set(settings) - set(self.trait_names()):
            raise TypeError(f"MaskEditor has no setting {name!r}: see help(MaskEditor).")
        self._picture = _checked(image)
        self._in_step = False  # True while `_png` and `margins` are changed together with `mask`
        size, margins = self._picture.size, png.NO_MARGINS
        autosave = Path(autosave).resolve() if autosave and not frozen() else None
        if autosave and autosave.exists():
            mask, margins = _restored(autosave, size)
        mask = _fitting(mask, png.extended(size, margins))
        settings = {"brush_size": max(1, round(max(size) / 10))} | settings
        super().__init__(
            _size=size,
            _preview=preview(self._picture),
            _png=png.encode(mask, margins),
            margins=margins,
            mask=mask,
            **settings,
        )
        self._autosave = autosave
        self.observe(self._receive, "_sent")
        self.observe(self._after_mask, "mask")
        self.observe(self._after_margins, "margins")

    @property
    def image(self):
        if any(self.margins):
            return masks.extend_canvas(self._picture, *self.margins)[0]
        return self._picture.copy()

    @image.setter
    def image(self, image):
        picture = _checked(image)
        kept = self.mask if self.mask.size == picture.size else None
        self._picture = picture
        with self.hold_sync():
            self._size = picture.size
            self._preview = preview(picture)
            self._change(_fitting(kept, picture.size), png.NO_MARGINS)

    def save(self, path):
        """Write the mask, and by how much the picture is extended, as a PNG file. OSError if that fails."""
        write(path, lambda temporary: temporary.write_bytes(png.encode(self.mask, self.margins)))

    def load(self, path):
        """Take the mask from a picture file, with the margins that `save` wrote into it.

        FileNotFoundError, or ValueError for a file that is damaged or does not fit; the old mask stays then.
        """
        self._change(*png.read(path, self._size))

    def still(self):
        """Picture and mask as they are now, as an `onereward_nb.grids.Picture`."""
        width, height = self.mask.size
        scale = min(1, WIDTH / max(width, height))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        colour = tuple(bytes.fromhex(self.colour[1:]))
        shown = masks.overlay(self.image.resize(small), self.mask.resize(small), colour, self.opacity)
        return grid(shown, alt=f"A picture of {width} x {height} pixels, {self._share()} of it masked")

    def __repr__(self):
        return f"MaskEditor of {self.mask.width} x {self.mask.height} pixels, {self._share()} masked"

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = self.still()._repr_mimebundle_()
        view = super()._repr_mimebundle_(**kwargs)
        if view is None:
            return data, metadata
        return data | view[0], metadata | view[1]

    # --- in step with the browser ----------------------------------------------------------------

    def _receive(self, _):
        """A mask has come from the browser. Once taken it is acknowledged by `rev`, or refused in words."""
        margins = self._sent[1:]
        try:
            data = _from_text(self._png_text) if self._png_text else self._png
            mask = png.decode(data, png.extended(self._size, margins))
        except ValueError as error:
            self.message = f"Python did not take this drawing: {error}. The mask from before is still there."
            self._png = png.encode(self.mask, self.margins)  # so that the browser shows it again
        else:
            self._change(mask, margins, data)

    def _after_mask(self, _):
        if not self._in_step:
            with self.hold_sync():
                self._png = png.encode(self.mask, self.margins)
                self.message = ""
                self.rev += 1
        self._in_step = False  # a handler called after this one may set the mask, too
        if self._autosave:
            self._save_automatically()

    def _after_margins(self, change):
        if not self._in_step:
            self._change(_moved(self.mask, change.old, change.new), change.new)

    def _change(self, mask, margins, encoded=None):
        """Change all that belongs together; handlers hear of it when everything is in place."""
        self._in_step = True
        try:
            with self.hold_trait_notifications():  # `rev` before `mask`: slow handlers do not hold it up
                self.margins = margins
                self._png = encoded or png.encode(mask, margins)
                self.message = ""
                self.rev += 1
                self.mask = mask
        finally:
            self._in_step = False

    def _save_automatically(self):
        try:
            self.save(self._autosave)
        except OSError as error:
            self.message = (
                f"The mask could not be saved in {self._autosave.name!r} ({error}): it lives in Python's memory "
                "only. Make room, or editor.save(...) it elsewhere."
            )
            warnings.warn(self.message, stacklevel=2)

    def _share(self):
        return f"{masks.coverage(self.mask):.1%}"

    @traitlets.validate("margins")
    def _check_margins(self, proposal):
        _check_size(png.extended(self._size, proposal.value))
        return proposal.value

    @traitlets.validate("colour")
    def _check_colour(self, proposal):
        if not re.fullmatch("#[0-9a-fA-F]{6}", proposal.value):
            raise ValueError(f"colour is {proposal.value!r}, expected '#rrggbb', e.g. '#e63ca0'.")
        return proposal.value


def _checked(image):
    picture = upright(image)
    _check_size(picture.size)
    return picture


def _check_size(size):
    if max(size) > LARGEST_SIDE:
        raise ValueError(
            f"The picture would be {size[0]}x{size[1]} pixels, the editor takes up to {LARGEST_SIDE} on a "
            "side: make it smaller with image.resize(...)."
        )


def _fitting(mask, size):
    """A mask of any kind, or None for an empty one, checked against the size of the editor's picture."""
    mask = Image.new("L", size, 0) if mask is None else as_mask(mask)
    if mask.size != size:
        raise ValueError(
            f"The mask is {mask.width}x{mask.height} pixels, the editor's picture {size[0]}x{size[1]}: "
            "they must match. Use mask.resize(editor.image.size, PIL.Image.NEAREST)."
        )
    return mask


def _restored(path, size):
    try:
        return png.read(path, size)
    except ValueError as error:
        raise ValueError(
            f"The mask kept by autosave cannot be taken up: {error}. The file is left as it is. Move or delete "
            "it, or give another name as autosave."
        ) from error


def _moved(mask, old, new):
    """The mask after a change of margins: the picture's part stays with the picture, new margins are painted."""
    size = mask.width - old[0] - old[2], mask.height - old[1] - old[3]
    moved = Image.new("L", png.extended(size, new), 255)
    moved.paste(mask, (new[0] - old[0], new[1] - old[1]))
    return moved


def _from_text(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"its text is no base64 ({error})") from error
