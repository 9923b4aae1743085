"""What outlives the kernel: a folder for each picture, with its mask and every result."""

import hashlib
from pathlib import Path

from ..files import write
from ..images import upright
from . import edits


class Shelf:
    """The files of one studio, in a folder inside `folder` that is named by the starting picture's size and pixels.

    picture.png and mask.png are what the editor held last; edit-001.png and so on are results (see edits.py).
    """

    def __init__(self, folder, picture):
        self.folder = Path(folder) / hashlib.sha256(_content(picture)).hexdigest()[:8]
        self._picture, self._mask = self.folder / "picture.png", self.folder / "mask.png"
        # What the next kernel would put back; None, not known, makes sure of it. Only another picture is written:
        # a large one takes long.
        self._kept = None if self._picture.exists() else _content(picture)

    def keep(self, editor):
        """Write what the editor holds. OSError, in words, if that fails."""
        left, top, right, bottom = editor.margins
        picture = editor.image
        picture = picture.crop((left, top, picture.width - right, picture.height - bottom))
        if _content(picture) != self._kept:
            self._explained(lambda: write(self._picture, lambda path: picture.save(path, "PNG")))
            self._kept = _content(picture)
        self._explained(lambda: editor.save(self._mask))

    def keep_edit(self, edit):
        """Write a result. OSError, in words, if that fails."""
        self._explained(lambda: edit.save(self.folder))

    def put_back(self, editor):
        """Give the editor what it held last, if anything was kept. ValueError for damaged files."""
        if self._picture.exists():
            editor.image = upright(self._picture)
        if self._mask.exists():
            editor.load(self._mask)

    def paths(self):
        """The files of the results, oldest first."""
        return edits.saved(self.folder)

    def _explained(self, action):
        try:
            action()
        except OSError as error:
            raise OSError(
                f"This could not be saved in {self.folder.as_posix()!r} ({error}): it lives in Python's memory "
                "only. Make room, or give another folder as autosave."
            ) from error


def _content(picture):
    """Size and pixels: in one colour, a wide picture and a high one have the same pixels."""
    return repr(picture.size).encode() + picture.tobytes()
