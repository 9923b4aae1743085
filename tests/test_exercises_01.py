"""The self-checks of notebook 01: its own solutions are right, and plausible wrong answers are told why not."""

from math import comb

import pytest
from PIL import Image, ImageFilter
from solutions import solve

import onereward_nb as onr
from onereward_nb import masks
from onereward_nb.exercises.image_fill import check_blend, check_chance, check_replacement
from onereward_nb.postcards.rendering import silhouette

NOTEBOOK = "01_image_fill"
WANTED = "a yellow flower"


@pytest.fixture(scope="module")
def replaced(postcard):
    """What the notebook's first solution leaves behind: `ex`, `answer_mask`, `answer`."""
    return solve(NOTEBOOK, 1, onr=onr, masks=masks, silhouette=silhouette, pipe=postcard)


def test_the_solution_puts_one_thing_in_place_of_another(replaced, capsys):
    assert check_replacement(replaced["answer"], replaced["ex"], WANTED)
    assert capsys.readouterr().out.startswith(f"Right: {WANTED} stands there")


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ({"mask": "inverted"}, "mind white and black"),
        ({"mask": "outline"}, "grow the mask"),
        ({"mask": "grown outline"}, "shadow is still there: mask the shadow too"),
        ({"prompt": "a red ball"}, f"a red ball stands there, not {WANTED}"),
        ({"paste": None}, "paste the rest back"),
    ],
)
def test_a_bad_replacement_is_told_what_is_wrong(replaced, postcard, mistake, words, capsys):
    ex, mask = replaced["ex"], replaced["answer_mask"]
    outline = silhouette(ex.thing, lit_by=ex.scene)
    other_masks = {
        "inverted": masks.invert(mask),
        "outline": outline,
        "grown outline": masks.grow(outline, 4),
    }
    answer = onr.run_task(
        postcard,
        "fill",
        ex.image,
        other_masks.get(mistake.get("mask"), mask),
        mistake.get("prompt", WANTED),
        paste=mistake.get("paste", "exact"),
        num_inference_steps=8,
    )
    assert not check_replacement(answer, ex, WANTED)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


def test_doing_nothing_is_no_replacement(replaced, capsys):
    ex = replaced["ex"]
    assert not check_replacement(ex.image, ex, WANTED)
    assert f"{ex.thing.phrase} stands there, not {WANTED}" in capsys.readouterr().out


def test_another_size_is_no_replacement(replaced, capsys):
    assert not check_replacement(replaced["answer"].resize((64, 64)), replaced["ex"], WANTED)
    assert "keep its size" in capsys.readouterr().out


def test_the_solution_blends(capsys):
    assert check_blend(solve(NOTEBOOK, 2, masks=masks, Image=Image)["blend"])
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("opacity", "words"),
    [
        (lambda mask, border: mask, "the border is hard"),
        (lambda mask, border: masks.grow(mask, border), "the border is hard"),
        (lambda mask, border: masks.invert(masks.feather(mask, border)), "swap the two"),
        (lambda mask, border: masks.feather(mask, 2 * border), "beyond the border changed"),
        (lambda mask, border: Image.new("L", mask.size, 255), "beyond the border changed"),
        (lambda mask, border: mask.filter(ImageFilter.BoxBlur(border / 2)), "begin outside the mask"),
        (lambda mask, border: masks.feather(masks.shrink(mask, border), border), "begin outside the mask"),
    ],
)
def test_other_borders_are_told_what_is_wrong(opacity, words, capsys):
    def blend(picture, painted, mask, border):
        return Image.composite(painted, picture, opacity(mask, border))

    assert not check_blend(blend)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


def test_a_blend_has_to_return_a_picture(capsys):
    assert not check_blend(lambda picture, painted, mask, border: None)
    assert "return a picture of the input's size" in capsys.readouterr().out


def test_the_solution_gives_the_chance(capsys):
    assert check_chance(solve(NOTEBOOK, 3)["chance"])
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (lambda right, tries, n: 1 - (1 - right / tries) ** n, "the same seed more than once"),
        (lambda right, tries, n: comb(tries - right, n) / comb(tries, n), "take it from 1"),
        (lambda right, tries, n: n * right / tries, "a chance lies between 0 and 1"),
        (lambda right, tries, n: min(1, n * right / tries), "count the draws in which none is right"),
        (lambda right, tries, n: right / tries, "count the draws in which none is right"),
        (lambda right, tries, n: None, "a chance lies between 0 and 1"),
    ],
)
def test_other_chances_are_told_what_is_wrong(chance, words, capsys):
    assert not check_chance(chance)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said
