"""Notebook 04: the folded solutions pass its self-checks, and plausible wrong answers are told what is wrong."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from solutions import refused, solve

import onereward_nb as onr
from onereward_nb import masks, postcards
from onereward_nb.evaluation import edit_examples
from onereward_nb.exercises.image_extend import check_canvas, check_extension, check_joint
from onereward_nb.postcards.measure.image_extend import extension

NOTEBOOK = "04_image_extend"


# --- exercise 1: two sides at once ---------------------------------------------------------------


@pytest.fixture(scope="module")
def known():
    return postcards.render(postcards.make_scene(1_000_005)).crop((0, 0, 80, 128))


def test_the_padded_picture_is_right(known):
    names = solve(NOTEBOOK, 1, np=np, Image=Image, picture=known)
    assert check_canvas(names["canvas"], names["mask"], known, left=24, top=16)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda picture: masks.extend_canvas(picture, right=24, bottom=16),
            "covers 3968 pixels of the known",
        ),
        (lambda picture: masks.extend_canvas(picture, left=16, top=24), "add up the margins"),
        (lambda picture: (picture, masks.extend_canvas(picture, 24, 16)[1]), "add up the margins"),
        (lambda picture: inverted(*masks.extend_canvas(picture, 24, 16)), "invert it"),
        (lambda picture: shrunk(*masks.extend_canvas(picture, 24, 16)), "leaves out"),
        (
            lambda picture: (picture.resize((104, 144)), masks.extend_canvas(picture, 24, 16)[1]),
            "corner belongs at (24, 16)",
        ),
    ],
)
def test_another_canvas_or_mask_is_refused(known, wrong, words, capsys):
    assert refused(
        lambda canvas, mask: check_canvas(canvas, mask, known, left=24, top=16),
        *wrong(known),
        words=words,
        capsys=capsys,
    )


def inverted(canvas, mask):
    return canvas, masks.invert(mask)


def shrunk(canvas, mask):
    return canvas, masks.shrink(mask, 4)


# --- exercise 2: no step at the seam -------------------------------------------------------------


@pytest.fixture(scope="module")
def joint(postcard):
    """The example of the exercise, and what the model paints: the whole picture, nothing pasted back."""
    ex = extension(1_000_014, (0, 0, 0.45, 0))
    return ex, edit_examples(postcard, [ex], paste=None)[0]


def test_fading_leaves_no_step(joint):
    ex, painted = joint
    names = solve(NOTEBOOK, 2, masks=masks, Image=Image, ex=ex, painted=painted)
    assert check_joint(names["joined"], ex, within=8)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda ex, painted: Image.composite(painted, ex.image, ex.mask), "there is a step"),
        (lambda ex, painted: painted, "more than 8 pixels from the seam changed"),
        (
            lambda ex, painted: Image.composite(painted, ex.image, masks.feather(ex.mask, 24)),
            "from the seam changed",
        ),
        (lambda ex, painted: Image.composite(ex.image, painted, ex.mask), "the margin is still empty"),
        (lambda ex, painted: ex.image, "the margin is still empty"),
        (
            lambda ex, painted: Image.composite(painted, ex.image, ex.mask).filter(ImageFilter.BoxBlur(2)),
            "from the seam changed",
        ),
        (lambda ex, painted: painted.resize((64, 64)), "keep its size"),
    ],
)
def test_other_joints_are_refused(joint, wrong, words, capsys):
    ex, painted = joint
    assert refused(
        lambda image: check_joint(image, ex, within=8), wrong(ex, painted), words=words, capsys=capsys
    )


# --- exercise 3: to the left ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def start():
    return postcards.render(postcards.make_scene(1_000_102))


@pytest.fixture(scope="module")
def solved(postcard, start):
    """What the folded solution makes."""
    return solve(NOTEBOOK, 3, onr=onr, masks=masks, Image=Image, pipe=postcard, card=start)


def test_the_red_house_stands_on_the_left(solved, start):
    assert check_extension(solved["wider"], start, "left", 48, "red house")


def on_the_right(wider, result, start):
    swapped = Image.new("RGB", wider.size)
    swapped.paste(start)
    swapped.paste(result.crop((0, 0, 48, 128)), (128, 0))
    return swapped


def not_pasted_back(wider, result, start):
    return wider.filter(ImageFilter.BoxBlur(1))


def picture_at_the_left(wider, result, start):
    wrong = wider.copy()
    wrong.paste(start)
    return wrong


def no_house(wider, result, start):
    empty = wider.copy()
    empty.paste(start.crop((40, 0, 60, 128)).resize((48, 128)))
    return empty


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (on_the_right, "they belong at (48, 0)"),
        (picture_at_the_left, "they belong at (48, 0)"),
        (not_pasted_back, "of the known pixels are not what they were"),
        (no_house, "looks for a red house in the new part and finds nothing"),
        (lambda wider, result, start: result, "48 pixels more on one side make (176, 128)"),
        (lambda wider, result, start: start, "48 pixels more on one side make (176, 128)"),
    ],
)
def test_other_extensions_are_refused(solved, start, wrong, words, capsys):
    answer = wrong(solved["wider"], solved["result"], start)
    assert refused(
        lambda image: check_extension(image, start, "left", 48, "red house"),
        answer,
        words=words,
        capsys=capsys,
    )


def test_another_thing_is_refused(solved, start, capsys):
    assert not check_extension(solved["wider"], start, "left", 48, "blue house")
    assert "and finds red house" in capsys.readouterr().out
