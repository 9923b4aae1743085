"""Is a thing whole? Its region against the outline of its kind."""

from dataclasses import replace

import numpy as np

from .reader import SIZE
from .reading import SPECK, grown
from .rendering import silhouette
from .scenes import Thing


def wholeness(thing, scene, visible=None, word=None):
    """How well a found thing fills the outline of its kind, 0 to 1.

    The outline is that of a thing of the scene in its place, or the best of some drawings of that kind fitted to
    its extent. visible: where the picture was known from the start; what shows there already can have no
    outline but its own. word: what a sign has to say, which makes it as long as it is.
    """

    def outlines(things):
        return [np.asarray(silhouette(each, SIZE, lit_by=scene)) > 0 for each in things]

    own = outlines(other for other in scene.things if other.kind == thing.kind)
    if visible is not None:
        shown = [outline for outline in own if (outline & thing.region & visible).sum() >= SPECK]
        if shown:
            return max(match(thing.region, outline) for outline in shown)
    return max(match(thing.region, outline) for outline in own + outlines(fitted_things(thing, word)))


def fitted_things(found, word=None):
    """Things of a found thing's kind, as wide or as tall as it, whichever is larger: half a thing fills half of one.

    They stand where it ends, or hang from where it begins: of a balloon's string and a flower's foot, too thin for
    the reader, little is ever found.
    """
    rows, columns = np.nonzero(found.region)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    wide, tall = (right - left) / SIZE, (bottom - top) / SIZE
    words = ([word] if word else ["H" * letters for letters in (2, 3, 4)]) if found.kind == "sign" else [""]
    things = []
    for letters in words:
        unit = Thing(found.kind, found.colour, 0, 0, 1.0, letters)
        size = max(wide / unit.width, tall / unit.height)
        feet = {bottom / SIZE, top / SIZE + size * unit.height}
        things += [replace(unit, x=(left + right) / 2 / SIZE, y=y, size=size) for y in feet]
    return things


def match(region, outline):
    """How much of each region lies in the other or beside it, the two shares multiplied: 0 to 1.

    A border that is off by one pixel costs nothing, for the reader is no more exact than that.
    """
    inside = (region & grown(outline, 1)).sum() / max(region.sum(), 1)
    filled = (outline & grown(region, 1)).sum() / max(outline.sum(), 1)
    return float(inside * filled)
