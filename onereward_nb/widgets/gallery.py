"""The studio's pictures: the newest result with its before/after slider, or as it forms, and the history."""

import base64
import io
import threading
from contextlib import contextmanager
from pathlib import Path

import anywidget
import traitlets

from .compare import compare

THUMBNAIL, FORMING = 96, 384  # pixels of the longer side
HISTORY = 40  # results that are kept


class Gallery(anywidget.AnyWidget):
    """What an edit makes, shown while and after it is made, with one button for each earlier result.

    Attributes:
        edits: the last 40 `Edit`s with results, oldest first.
        edit: the one on show; None before the first.
        message: a line below the picture; `wrong` if it says what went wrong.
        progress: 0 to 1 while an edit runs, -1 otherwise.
        shown: the number of the result on show, from 0; -1 for none.

    A click on a result of the history comes as the message {"restore": number}, see `on_msg`. All methods may
    be called in any thread.
    """

    _esm = Path(__file__).with_name("gallery.js")
    _css = Path(__file__).with_name("studio.css")

    message = traitlets.Unicode("").tag(sync=True)
    wrong = traitlets.Bool(False).tag(sync=True)
    progress = traitlets.Float(-1, max=1).tag(sync=True)
    shown = traitlets.Int(-1).tag(sync=True)

    _html = traitlets.Unicode("").tag(sync=True)  # the slider
    _forming = traitlets.Unicode("").tag(sync=True)  # the address of a picture, with the picture inside
    _thumbnails = traitlets.List().tag(sync=True)  # [{"src", "label"}]

    def __init__(self):
        self.edits, self.edit = [], None
        self._one_thread = threading.RLock()
        super().__init__()

    def say(self, message, wrong=False):
        """Show a line of words, and that nothing runs."""
        with self._together():
            self.message, self.wrong = message, wrong
            self.progress, self._forming = -1, ""

    def forms(self, message, progress, picture=None):
        """Show how far an edit is. picture: what it looks like by now, None for no news."""
        with self._together():
            self.message, self.wrong, self.progress = message, False, progress
            if picture is not None:
                self._forming = _address(picture, FORMING)

    def add(self, edit):
        """Put a new result on show, and into the history."""
        thumbnail = {"src": _address(edit.result, THUMBNAIL), "label": edit.in_words()}
        with self._together():
            if len(self.edits) == HISTORY:
                self.edits.pop(0)
                self._thumbnails = self._thumbnails[1:]
            self.edits.append(edit)
            self._thumbnails = [*self._thumbnails, thumbnail]
            self.show(edit)

    def show(self, edit):
        """Put a result of the history on show."""
        self.edit = edit
        with self._together():
            self.shown = self.edits.index(edit)
            self._html, self._forming = compare(edit.image, edit.result).html, ""

    @contextmanager
    def _together(self):
        """What changes in here is sent as one message."""
        with self._one_thread, self.hold_sync():
            yield


def _address(picture, side):
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
