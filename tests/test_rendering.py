"""Drawing: the same bytes everywhere, at any size, and every thing, colour and shadow where it belongs."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onereward_nb.postcards import Thing, example, make_scene, render
from onereward_nb.postcards.landscape import shadows
from onereward_nb.postcards.rendering import silhouette, visible_difference
from onereward_nb.postcards.scenes import COLOURS, KINDS

FINGERPRINTS = """
import hashlib
from onereward_nb.postcards import example, render
pictures = [render(seed) for seed in (0, 7, 1_000_003)]
for task in ("fill", "text", "removal", "extend"):
    edit = example(task, 1_000_001)
    pictures += [edit.image, edit.mask, edit.target]
print(*(hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures))
"""


def pixels(image):
    return np.asarray(image).astype(int)


def test_every_process_draws_the_same_bytes():
    other = subprocess.run(
        [sys.executable, "-c", FINGERPRINTS],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    pictures = [render(seed) for seed in (0, 7, 1_000_003)]
    for task in ("fill", "text", "removal", "extend"):
        edit = example(task, 1_000_001)
        pictures += [edit.image, edit.mask, edit.target]
    assert [hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures] == other
    assert len(set(other)) >= len(other) - 2  # fill's and text's targets may be one scene


@pytest.mark.parametrize("size", [64, 65, 100, 129, 256, 257, 300, 1024])
def test_a_scene_is_drawn_at_any_size(size):
    picture = render(size, size)  # the size as seed: another scene each time
    assert picture.size == (size, size) and picture.mode == "RGB"
    assert pixels(picture).std() > 15


@pytest.mark.parametrize("size", [-1, 0, 63, 1025])
def test_other_sizes_are_refused_in_words(size):
    for draw in (lambda: render(0, size), lambda: example("fill", 0, size), lambda: example("text", 0, size)):
        with pytest.raises(ValueError, match=f"size is {size} pixels.*64 to 1024"):
            draw()


@pytest.mark.parametrize("large, small", [(256, 128), (512, 128), (128, 64)])
def test_all_sizes_show_the_same_picture(large, small):
    for seed in range(6):
        reduced = pixels(render(seed, large).reduce(large // small))
        error = np.abs(reduced - pixels(render(seed, small)))
        other = np.abs(reduced - pixels(render(seed + 100, small)))
        assert error.mean() < 2 < 15 < other.mean()
        assert (error.max(axis=2) > 60).mean() < 0.02  # edges may move by a fraction of a pixel, no more


def scenes_with(kind, count, first=0):
    """Scenes that have a thing of some kind, and the thing."""
    for seed in range(first, first + count):
        scene = make_scene(seed, (kind,))
        yield scene, next(thing for thing in scene.things if thing.kind == kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_silhouette_covers_what_a_thing_changes_and_no_more_than_its_box(kind):
    for scene, thing in scenes_with(kind, 12):
        changed = np.asarray(visible_difference(scene, scene.without(thing))) > 0
        covered = np.asarray(silhouette(thing, shadow_of=scene, lit_by=scene)) > 0
        padded = np.pad(covered, 1)
        near = np.any([np.roll(padded, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)
        assert not (changed & ~near[1:-1, 1:-1]).any()
        assert (changed & covered).sum() > 0.6 * covered.sum()

        rows, columns = np.nonzero(np.asarray(silhouette(thing, lit_by=scene)))
        left, top, right, bottom = np.array(thing.box) * 128
        assert left - 1.5 < columns.min() and columns.max() < right + 0.5
        assert top - 1.5 < rows.min() and rows.max() < bottom + 0.5
        assert columns.max() - columns.min() > 0.8 * (right - left) - 2
        assert rows.max() - rows.min() > 0.9 * (bottom - top) - 2


@pytest.mark.parametrize("size", [64, 128, 300])
def test_a_ball_covers_the_area_of_a_circle(size):
    for _, ball in scenes_with("ball", 10):
        radius = np.sqrt(np.count_nonzero(silhouette(ball, size)) / np.pi)
        assert radius == pytest.approx(ball.size / 2 * size, abs=0.75)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("sign", "flower")])
def test_a_thing_has_the_colour_that_it_is_called_by(kind):
    names, values = list(COLOURS), np.array(list(COLOURS.values()))
    scene, thing = next((s, t) for s, t in scenes_with(kind, 40) if s.light == "day")
    for name in names:
        painted = scene.without(thing).with_things(replace(thing, colour=name))
        seen = pixels(render(painted))[np.asarray(silhouette(thing)) > 0]
        nearest = np.abs(seen[:, None] - values).sum(axis=2).argmin(axis=1)
        assert names[np.bincount(nearest, minlength=len(names)).argmax()] == name


def test_shadows_darken_the_ground_and_fall_away_from_the_sun():
    for scene, thing in scenes_with("ball", 20):
        if abs(thing.x - scene.sun[0]) < 0.1:
            continue  # the sun stands above it
        alone = replace(scene, things=(thing,))
        shadow = pixels(shadows(alone, 128))
        middle = (shadow.sum(axis=0) * (np.arange(128) + 0.5)).sum() / shadow.sum() / 128
        assert np.sign(middle - thing.x) == np.sign(thing.x - scene.sun[0])
        on_ground = (shadow > 60) & ~(np.asarray(silhouette(thing)) > 0)
        change = (pixels(render(alone)) - pixels(render(alone.without(thing)))).sum(axis=2)[on_ground]
        assert on_ground.sum() > 10 and (change < 0).all()
    balloon = next(scenes_with("balloon", 1))[1]
    assert not np.any(shadows(replace(scene, things=(balloon,)), 128))


def test_the_word_on_a_sign_is_drawn_letter_by_letter():
    """Changing one letter changes the picture at that letter's place only."""
    rng = np.random.default_rng(1)
    for scene, sign in scenes_with("sign", 20):
        place = rng.integers(len(sign.word))
        letter = "X" if sign.word[place] != "X" else "O"
        other = replace(sign, word=sign.word[:place] + letter + sign.word[place + 1 :])
        changed = visible_difference(scene, scene.without(sign).with_things(other))
        left, _, right, _ = changed.getbbox()
        cell = 0.31 * sign.size * 128
        middle = sign.x * 128 + (place - (len(sign.word) - 1) / 2) * cell
        assert middle - cell / 2 - 1 <= left < right <= middle + cell / 2 + 1


def test_a_picture_is_drawn_from_a_scene_or_its_seed():
    assert render(5) == render(make_scene(5))
    assert isinstance(render(5), Image.Image)
    lone = Thing("ball", "red", 0.5, 0.9, 0.2)
    assert render(make_scene(5).with_things(lone)) != render(5)
