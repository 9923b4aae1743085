"""The oracle: scores an edit by the scene that it was made from, never by taste.

It reads what stands in the picture with two small networks and compares with the ground truth. Every score lies
between 0 and 1, higher is better:

- text alignment: is what was asked for there, and nothing else?
- consistency: do ground, sky and light go on as in the truth, without a seam?
- structure: is every thing whole, with the outline of its kind?
- aesthetics: is the picture as crisp and as calm as the truth, neither blurred nor noisy?
- text rendering: how many letters of the word are right?
- removal quality: how near does the picture come to the scene without the thing?
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from .. import masks
from .reader import FIRST_THING, LETTERS, SIZE, load_reader, true_classes
from .rendering import render, silhouette
from .scenes import COLOURS, KINDS, LETTER_WIDTH, SHAPES, Thing

SPECK = 24  # pixels: anything smaller is no thing
NEAR = 16.0  # grey levels of 255: two colours that differ less look alike
WHOLE = 0.85  # a thing is whole from this match with a drawing of its kind on
GOES_ON = 0.75  # consistency from which on a background counts as going on


class Reading(NamedTuple):
    """One picture as the oracle sees it, at 128x128: pixels (float, 0 to 255), class and colour of each, and the mask."""

    pixels: np.ndarray
    classes: np.ndarray
    colours: np.ndarray
    mask: np.ndarray


class Found(NamedTuple):
    """A thing that was read in a picture."""

    kind: str
    colour: str
    region: np.ndarray


def score(example, image):
    """Score one edited image against its example's ground truth.

    image: PIL, of the size of example.image. Returns a dictionary: `success`, a bool; `outside`, the share of the
    pixels outside the mask that changed; and a value from 0 to 1 for each dimension of the task, named as in the
    paper (arXiv 2508.21066, table 1, and text rendering).
    """
    return score_all([example], [image])[0]


def score_all(examples, images):
    """score() for many edits of any tasks, read together: a list of dictionaries."""
    for example, image in zip(examples, images, strict=True):
        if image.size != example.image.size:
            raise ValueError(
                f"the image is {image.size}, its example {example.image.size}: score a result of the example's size"
            )
    reader = load_reader()
    classes, colours = reader.read_pictures(images)
    results = []
    for example, image, *labels in zip(examples, images, classes, colours, strict=True):
        reading = Reading(as_pixels(image), *labels, as_mask(example.mask))
        result = SCORES[example.task](example, reading, image)
        results.append(result | {"outside": changed_outside(example, image)})
    return results


def score_fill(example, reading, image):
    """Right where the one thing in the mask is of the kind and colour asked for, whole, on an untouched background."""
    asked, target = example.thing, as_pixels(example.target)
    # neighbours may reach into a loose mask: what stands in their place is not judged
    place = reading.mask & ~grown(true_classes(example.scene.without(asked))[0] >= FIRST_THING)
    found = things_in(reading, place)
    things = (reading.classes >= FIRST_THING) & place
    right_kind = reading.classes == FIRST_THING + KINDS.index(asked.kind)
    right_colour = reading.colours == list(COLOURS).index(asked.colour)
    amount = things.sum()
    alignment = (
        (right_kind & things).sum() / amount * (right_colour & things).sum() / amount
        if amount >= SPECK
        else 0.0
    )
    structure = wholeness(found[0], example.scene) if found else 0.0
    background = reading.mask & ~grown(things | (true_classes(example.scene)[0] >= FIRST_THING))
    without = as_pixels(example.image)
    consistency = alike(reading.pixels, target, background, without)
    named = [(thing.kind, thing.colour) for thing in found] == [(asked.kind, asked.colour)]
    return {
        "success": bool(named and structure >= WHOLE and consistency >= GOES_ON),
        "text alignment": float(alignment),
        "consistency": consistency,
        "structure": structure,
        "aesthetics": crispness(reading.pixels, target, reading.mask),
    }


def score_text(example, reading, image):
    """Right where the word on the sign is the word asked for, letter by letter."""
    chances = load_reader().letter_chances([image], [example.thing])[0]
    word = spell(chances)
    asked = example.thing.word
    slots = [LETTERS.index(letter) for letter in asked] + [len(LETTERS)] * (len(chances) - len(asked))
    as_read = replace(example.thing, word=word or " ")
    ideal = as_pixels(render(example.scene.without(example.thing).with_things(as_read), SIZE))
    target = as_pixels(example.target)
    ink, ideal_ink = (darker_than_face(pixels, reading.mask) for pixels in (reading.pixels, ideal))
    return {
        "success": word == asked,
        "text alignment": float(np.prod([chances[i, slot] for i, slot in enumerate(slots)])),
        "consistency": alike(
            reading.pixels, target, reading.mask & ~grown(ink | darker_than_face(target, reading.mask))
        ),
        "structure": overlap(ink, ideal_ink) if word else 0.0,
        "aesthetics": crispness(reading.pixels, ideal, reading.mask),
        "text rendering": 1 - edit_distance(word, asked) / max(len(word), len(asked)),
    }


def score_removal(example, reading, image):
    """Right where nothing stands in the mask that the truth has not, and the background goes on as there."""
    target = as_pixels(example.target)
    things = (
        (reading.classes >= FIRST_THING)
        & ~grown(true_classes(example.scene)[0] >= FIRST_THING)
        & reading.mask
    )
    left = things.sum() >= SPECK
    clean = alike(reading.pixels, target, reading.mask)
    nearness = float(np.exp(-np.abs(reading.pixels - target)[reading.mask].mean() / NEAR))
    return {"success": bool(not left and clean >= GOES_ON), "removal quality": nearness}


def score_extend(example, reading, image):
    """Right where sky and ground go on as in the truth, and what stands in the margins is whole."""
    target, truth = as_pixels(example.target), true_classes(example.scene)[0]
    found = things_in(reading, np.ones_like(reading.mask))
    background = (reading.classes < FIRST_THING) & (truth < FIRST_THING) & reading.mask
    same_place = (reading.classes == truth)[background].mean() if background.any() else 0.0
    consistency = float(same_place) * alike(
        reading.pixels, target, background & ~grown(truth >= FIRST_THING), tolerance=1.5 * NEAR
    )
    in_margins = [thing for thing in found if (thing.region & reading.mask).sum() >= SPECK]
    structure = min((wholeness(thing, example.scene, ~reading.mask) for thing in in_margins), default=1.0)
    result = {
        "success": bool(consistency >= GOES_ON and structure >= WHOLE),
        "consistency": consistency,
        "structure": structure,
        "aesthetics": crispness(reading.pixels, target, background),
    }
    if example.task == "extend":
        result["text alignment"] = agreement(found, example.scene.things)
    return result


SCORES = {
    "fill": score_fill,
    "text": score_text,
    "removal": score_removal,
    "extend": score_extend,
    "extend-no-prompt": score_extend,
}


# --- reading ---------------------------------------------------------------------------------------


def as_pixels(image):
    """(128, 128, 3) float32, 0 to 255."""
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)


def as_mask(image):
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.NEAREST)) > 127


def things_in(reading, region):
    """The things that stand in a region, the largest first: pixels of one kind together, of the colour of most.

    Pixels a few apart still belong together, upwards more than sideways: the reader misses parts of a thin stem.
    """
    found = []
    for label, kind in enumerate(KINDS, FIRST_THING):
        standing = (reading.classes == label) & region
        nearby = Image.fromarray(standing.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur((1, 3)))
        pieces = connected(np.asarray(nearby) > 0) * standing
        for piece in (pieces == number for number in np.unique(pieces[pieces > 0])):
            if piece.sum() >= SPECK:
                colour = np.bincount(reading.colours[piece]).argmax()
                found.append(Found(kind, list(COLOURS)[colour], piece))
    return sorted(found, key=lambda thing: -thing.region.sum())


def connected(region):
    """Number the connected parts of a region: int array, 0 outside. Spreads the largest number of each part over it."""
    labels = np.where(region, np.arange(1, region.size + 1).reshape(region.shape), 0)
    while True:
        wider = np.pad(labels, 1)
        spread = np.max(
            [wider[1:-1, 1:-1], wider[:-2, 1:-1], wider[2:, 1:-1], wider[1:-1, :-2], wider[1:-1, 2:]], axis=0
        )
        spread[~region] = 0
        if np.array_equal(spread, labels):
            return labels
        labels = spread


def grown(region, pixels=2):
    return np.asarray(masks.grow(Image.fromarray(region.astype(np.uint8) * 255), pixels)) > 0


def spell(chances):
    """The likeliest word: letters up to the first empty place."""
    letters = (LETTERS + " ")[: len(LETTERS) + 1]
    return "".join(letters[i] for i in chances.argmax(-1)).rstrip().partition(" ")[0]


def darker_than_face(pixels, mask):
    """The ink on a sign: pixels of the mask that are darker than halfway from its darkest to its brightest."""
    grey = pixels.mean(axis=2)
    low, high = np.percentile(grey[mask], (2, 95))
    return mask & (grey < (low + high) / 2)


def changed_outside(example, image):
    """The share of the pixels outside the mask that are not the input's, at the picture's own size."""
    outside = np.asarray(example.mask) <= 127
    changed = np.any(np.asarray(image.convert("RGB")) != np.asarray(example.image), axis=2)
    return float(changed[outside].mean()) if outside.any() else 0.0


# --- comparing -------------------------------------------------------------------------------------


def alike(pixels, target, region, alternative=None, tolerance=NEAR):
    """The share of a region's pixels that look like the target's (or the alternative's), 0 to 1; 1 for no region."""
    if not region.any():
        return 1.0
    error = np.abs(pixels - target).max(axis=2)
    if alternative is not None:
        error = np.minimum(error, np.abs(pixels - alternative).max(axis=2))
    return float((error[region] <= tolerance).mean())


def crispness(pixels, target, region):
    """The smaller of both pictures' mean differences between neighbours over the larger: 1 for the same amount of detail."""
    if not region.any():
        return 1.0
    amounts = []
    for picture in (pixels, target):
        grey = picture.mean(axis=2)
        detail = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(
            np.diff(grey, axis=1, append=grey[:, -1:])
        )
        amounts.append(detail[region].mean() + 0.5)
    return float(min(amounts) / max(amounts))


def overlap(a, b):
    """Intersection over union of two regions, 0 to 1."""
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


def match(region, outline):
    """How much of each region lies in the other or beside it, the two shares multiplied: 0 to 1.

    A border that is off by one pixel costs nothing, for the reader is no more exact than that.
    """
    inside = (region & grown(outline, 1)).sum() / max(region.sum(), 1)
    filled = (outline & grown(region, 1)).sum() / max(outline.sum(), 1)
    return float(inside * filled)


def wholeness(thing, scene, visible=None):
    """How well a found thing fills the outline of its kind, 0 to 1.

    The outline is that of a thing of the scene in its place, or the best of some drawings of that kind fitted to
    its extent. visible: where the picture was known from the start; what shows there already can have no
    outline but its own.
    """
    own = [
        np.asarray(silhouette(other, SIZE, lit_by=scene)) > 0
        for other in scene.things
        if other.kind == thing.kind
    ]
    if visible is not None:
        shown = [outline for outline in own if (outline & thing.region & visible).sum() >= SPECK]
        if shown:
            return max(match(thing.region, outline) for outline in shown)
    return max(match(thing.region, outline) for outline in own + fitted_outlines(thing, scene))


def fitted_outlines(thing, scene):
    """Outlines of a thing's kind, drawn as wide or as tall as the thing is, whichever is larger: half a thing fills half."""
    rows, columns = np.nonzero(thing.region)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    wide, tall = (right - left) / SIZE, (bottom - top) / SIZE
    if thing.kind == "sign":
        words = ["H" * letters for letters in (2, 3, 4)]
        shapes = [(LETTER_WIDTH * len(word) + 0.24, 1.0, word) for word in words]
    else:
        shapes = [(*SHAPES[thing.kind], "")]
    outlines = []
    for across, up, word in shapes:
        size = max(wide / across, tall / up)
        drawn = Thing(thing.kind, thing.colour, (left + right) / 2 / SIZE, bottom / SIZE, size, word)
        outlines.append(np.asarray(silhouette(drawn, SIZE, lit_by=scene)) > 0)
    return outlines


def agreement(found, things):
    """F1 of the things that stand in a picture against those that its caption names, by kind and colour."""
    named = [(thing.kind, thing.colour) for thing in things]
    right = 0
    for thing in found:
        if (thing.kind, thing.colour) in named:
            named.remove((thing.kind, thing.colour))
            right += 1
    total = len(found) + len(things)
    return 2 * right / total if total else 1.0


def edit_distance(a, b):
    """Levenshtein's: the fewest letters to put in, take out or change."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != other))
    return row[-1]
