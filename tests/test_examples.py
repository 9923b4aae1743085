"""Examples of the five tasks: masks that cover what changes, and ground truth that is the input elsewhere."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from onereward_nb import masks
from onereward_nb.postcards import example, hands, make_scene, render
from onereward_nb.postcards.landscape import shadows
from onereward_nb.postcards.rendering import silhouette, visible_difference
from onereward_nb.postcards.scenes import LETTERS
from onereward_nb.tasks import TASKS

HELD_OUT = 1_000_000
SEEDS = range(HELD_OUT, HELD_OUT + 24)
SIZES = (64, 128, 200)


@cache
def examples(task, seeds=SEEDS):
    """Examples of a task at changing sizes."""
    return [example(task, seed, SIZES[seed % 3]) for seed in seeds]


def pixels(image):
    return np.asarray(image).astype(int)


def as_mask(region):
    return Image.fromarray((region * 255).astype(np.uint8))


def masked(edit):
    return np.asarray(edit.mask) > 0


def changed(edit):
    return np.abs(pixels(edit.image) - pixels(edit.target)).max(axis=2)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_example_and_another_seed_another(task):
    assert example(task, 3) == example(task, 3)
    edits = [example(task, seed, 64) for seed in range(30)]
    assert len({edit.image.tobytes() for edit in edits}) == 30
    assert len({edit.mask.tobytes() for edit in edits}) > 25  # margins on one side can be equally wide


@pytest.mark.parametrize("task", TASKS)
def test_masks_are_black_and_white_neither_empty_nor_full(task):
    for edit in examples(task):
        assert edit.mask.mode == "L" and set(edit.mask.tobytes()) == {0, 255}
        assert edit.image.size == edit.mask.size == edit.target.size
        assert edit.image.mode == edit.target.mode == "RGB"


@pytest.mark.parametrize("task", TASKS)
def test_the_target_is_a_picture_of_the_scene(task):
    for edit in examples(task, range(9)):
        assert edit.target == render(edit.scene, edit.image.width)


@pytest.mark.parametrize("task", ["fill", "text", "extend", "extend-no-prompt"])
def test_outside_the_mask_the_target_is_the_image_to_the_pixel(task):
    for edit in examples(task):
        assert not changed(edit)[~masked(edit)].any(), edit.seed
        assert changed(edit).any()


def test_fill_masks_cover_the_thing_that_the_prompt_names_and_its_shadow():
    for edit in examples("fill"):
        assert edit.thing in edit.scene.things and edit.prompt == edit.thing.phrase
        without = edit.scene.without(edit.thing)
        assert edit.image == render(without, edit.image.width)
        seen = np.asarray(visible_difference(edit.scene, without, edit.image.width, threshold=0)) > 0
        assert seen.any() and masked(edit)[seen].all()


def test_text_masks_are_a_box_over_the_face_of_a_sign_that_says_something_else():
    for edit in examples("text"):
        assert edit.prompt == f'the words "{edit.thing.word}"'
        left, top, right, bottom = edit.mask.getbbox()
        assert masked(edit)[top:bottom, left:right].all()
        slack = 0.05 * edit.thing.size * edit.image.width + 1
        difference = np.subtract((left, top, right, bottom), np.array(edit.thing.face) * edit.image.width)
        assert np.abs(difference).max() < slack


def test_the_sign_to_be_changed_says_another_word_of_the_same_length():
    short = [edit for edit in examples("text") if len(edit.thing.word) == 1][:3]
    for edit in short:
        rest = edit.scene.without(edit.thing)
        candidates = {
            letter: render(rest.with_things(replace(edit.thing, word=letter)), edit.image.width)
            for letter in LETTERS
        }
        shown = [letter for letter, picture in candidates.items() if picture == edit.image]
        assert len(shown) == 1 and shown != [edit.thing.word]
    assert len(short) == 3


def test_removal_masks_cover_the_thing_and_what_stays_outside_is_at_most_its_shadow():
    covering = 0
    for edit in examples("removal", range(HELD_OUT, HELD_OUT + 40)):
        size, before = edit.image.width, edit.scene.with_things(edit.thing)
        assert edit.prompt == "remove" and edit.thing not in edit.scene.things
        assert edit.image == render(before, size)
        assert masked(edit)[np.asarray(silhouette(edit.thing, size, lit_by=before)) > 0].all()
        shadow = np.asarray(shadows(replace(before, things=(edit.thing,)), size)) > 0
        outside = np.where(masked(edit), 0, changed(edit))
        assert not outside[~np.asarray(masks.grow(as_mask(shadow), 1)).astype(bool)].any()
        if masked(edit)[np.asarray(masks.grow(as_mask(shadow), 1)) > 0].all():
            assert not outside.any()
            covering += 1
    assert 0.4 * 40 < covering < 40


def test_extensions_hide_margins_of_a_fifth_to_almost_half_of_the_side():
    counts = set()
    for edit in examples("extend", range(HELD_OUT, HELD_OUT + 60)):
        known = np.asarray(as_mask(~masked(edit)).getbbox())
        size = edit.image.width
        assert masked(edit).sum() == size**2 - (known[2] - known[0]) * (known[3] - known[1])
        sides = np.array([known[0], known[1], size - known[2], size - known[3]]) / size
        hidden = sides[sides > 0]
        counts.add(len(hidden))
        # two that face each other share at most 60%, so that one of them can be a little narrower than 20%
        assert hidden.min() > 0.18 and hidden.max() < 0.46
        assert (known[2] - known[0]) / size > 0.39 and (known[3] - known[1]) / size > 0.39
        assert (pixels(edit.image)[masked(edit)] == 128).all()
    assert counts == {1, 2, 3, 4}


def test_an_extension_is_asked_for_by_the_scenes_caption_or_by_the_fixed_prompt():
    for seed in SEEDS:
        asked, unasked = example("extend", seed, 64), example("extend-no-prompt", seed, 64)
        assert asked.prompt == make_scene(seed).caption
        assert unasked.prompt == TASKS["extend-no-prompt"].prompt
        assert asked.mask == unasked.mask and asked.target == unasked.target


def test_fixed_prompts_are_the_tasks_own():
    for task, edit in ((task, example(task.name, 5)) for task in TASKS.values() if task.prompt):
        assert edit.prompt == task.prompt


@pytest.mark.parametrize(
    "task, seed, problem", [("paint", 0, "task is 'paint'.*fill"), ("fill", -1, "seed is -1")]
)
def test_an_example_that_does_not_exist_is_refused_in_words(task, seed, problem):
    with pytest.raises(ValueError, match=problem):
        example(task, seed)


def random_shape(rng, size=96):
    """One to three random boxes somewhere on a square."""
    shape = np.zeros((size, size), bool)
    for _ in range(rng.integers(1, 4)):
        top, left = rng.integers(0, size - 8, 2)
        height, width = rng.integers(1, 30, 2)
        shape[top : top + height, left : left + width] = True
    return shape


def test_hand_drawn_masks_cover_their_shape_and_stay_near_it():
    rng = np.random.default_rng(2)
    for _ in range(60):
        shape = random_shape(rng)
        rows, columns = np.nonzero(shape)
        for draw in (hands.loose_box, hands.brush, hands.blob, hands.oval, hands.around):
            mask = np.asarray(draw(as_mask(shape), rng))
            assert set(np.unique(mask)) <= {0, 255}
            marked = np.argwhere(mask)
            reach = 0.3 * max(np.ptp(rows), np.ptp(columns)) + 0.25 * 96
            assert marked.min(axis=0)[0] > rows.min() - reach and marked.max(axis=0)[0] < rows.max() + reach
            assert marked.min(axis=0)[1] > columns.min() - reach
            assert marked.max(axis=0)[1] < columns.max() + reach
        assert mask[shape].all()  # around()
