"""Notebook 02: the folded solutions pass its self-checks, and plausible wrong answers are told what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from solutions import refused, solve

import onereward_nb as onr
from onereward_nb import closeup, masks, postcards
from onereward_nb.exercises.edits import check_edit, check_mask
from onereward_nb.exercises.text_rendering import check_pick, check_places
from onereward_nb.postcards.comparing import edit_distance
from onereward_nb.postcards.measure.text_rendering import letter_height, read_words, shrunk
from onereward_nb.postcards.reader import load_reader

NOTEBOOK = "02_text_rendering"


@pytest.fixture(scope="module")
def sign():
    return postcards.example("text", 1_000_022)


@pytest.fixture(scope="module")
def tiny():
    return shrunk(postcards.example("text", 1_000_024), 0.5)


# --- exercise 1: put the word in its place -------------------------------------------------------


def test_the_face_and_the_quoted_word_are_right(postcard, sign):
    names = solve(NOTEBOOK, 1, onr=onr, masks=masks, pipe=postcard, ex=sign)
    assert check_mask(names["mask"], sign)
    assert check_edit(names["answer"], sign)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda mask: masks.invert(mask), "invert it"),
        (lambda mask: masks.box(mask, 55, 80, 75, 90), "grow or move it"),
        (lambda mask: masks.box(mask, 40, 75, 62, 95), "grow or move it"),
        (lambda mask: masks.grow(mask, 20), "draw it closer"),
    ],
)
def test_a_mask_that_is_not_the_face_is_refused(sign, spoil, words, capsys):
    assert refused(check_mask, spoil(sign.mask), sign, words=words, capsys=capsys)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task": "fill", "prompt": "ORF"}, "not what"),  # no quotation marks
        ({"task": "text", "prompt": "ORB"}, "not what"),
        ({"task": "text", "prompt": "FRO"}, "not what"),
        ({"task": "text", "prompt": "ORF", "paste": None}, "outside the mask changed"),
    ],
)
def test_another_prompt_or_changes_elsewhere_are_refused(postcard, sign, wrong, words, capsys):
    answer = onr.run_task(postcard, image=sign.image, mask=sign.mask, num_inference_steps=8, **wrong)
    assert refused(check_edit, answer, sign, words=words, capsys=capsys)


def test_painting_around_the_word_is_refused(postcard, sign, capsys):
    answer = onr.run_task(postcard, "text", sign.image, masks.invert(sign.mask), "ORF", num_inference_steps=8)
    assert refused(check_edit, answer, sign, words="outside the mask changed", capsys=capsys)


# --- exercise 2: right letters by place ----------------------------------------------------------


def test_shares_by_place_are_right(capsys):
    assert check_places(solve(NOTEBOOK, 2)["share_right"])
    assert capsys.readouterr().out.startswith("Right: ")


def all_right(read, asked):
    return [1.0 for _ in asked[0]]


def without_missing_letters(read, asked):
    places = range(len(asked[0]))
    pairs = [[(w[k], a[k]) for w, a in zip(read, asked, strict=True) if k < len(w)] for k in places]
    return [np.mean([w == a for w, a in pair]) for pair in pairs]


def in_any_place(read, asked):
    return [np.mean([a[k] in w for w, a in zip(read, asked, strict=True)]) for k in range(len(asked[0]))]


def too_sure_of_its_length(read, asked):
    return [np.mean([w[k] == a[k] for w, a in zip(read, asked, strict=True)]) for k in range(len(asked[0]))]


def one_for_all_places(read, asked):
    return [np.mean([w == a for w, a in zip(read, asked, strict=True)])]


def nothing(read, asked):
    pass


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (all_right, "only the second place has a wrong letter"),
        (without_missing_letters, "a letter that is missing is wrong too"),
        (in_any_place, "only in its own place"),
        (too_sure_of_its_length, "looks for a letter that is not there"),
        (one_for_all_places, "every letter is right"),
        (nothing, "every letter is right"),
    ],
)
def test_other_ways_of_counting_are_refused(wrong, words, capsys):
    assert refused(check_places, wrong, words=words, capsys=capsys)


# --- exercise 3: pick the best try ---------------------------------------------------------------


def test_the_nearest_word_is_picked(capsys):
    assert check_pick(solve(NOTEBOOK, 3, read_words=read_words, edit_distance=edit_distance)["pick"])
    assert capsys.readouterr().out.startswith("Right: ")


def first(pictures, sign):
    return 0


def picture_itself(pictures, sign):
    return pictures[0]


def farthest(pictures, sign):
    read = read_words(pictures, [sign] * len(pictures))
    return int(np.argmax([edit_distance(word, sign.word) for word in read]))


def most_certain(pictures, sign):
    return int(load_reader().letter_chances(pictures, [sign] * len(pictures)).max(-1).prod(-1).argmax())


def right_or_first(pictures, sign):
    read = read_words(pictures, [sign] * len(pictures))
    return read.index(sign.word) if sign.word in read else 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (first, "it picks HO, not HI"),
        (picture_itself, "return the index of a picture"),
        (farthest, "not HI"),
        (most_certain, "it picks"),
        (right_or_first, "it picks XQZK, not CAFF"),
    ],
)
def test_other_picks_are_refused(wrong, words, capsys):
    assert refused(check_pick, wrong, words=words, capsys=capsys)


# --- exercise 4: a very small sign ---------------------------------------------------------------


def test_a_close_up_makes_the_small_word_right(postcard, tiny):
    names = solve(NOTEBOOK, 4, onr=onr, closeup=closeup, pipe=postcard, tiny=tiny)
    assert check_edit(names["answer"], tiny)


def test_writing_directly_is_refused(postcard, tiny, capsys):
    answer = onr.run_task(postcard, "text", tiny.image, tiny.mask, "UOG")
    assert refused(check_edit, answer, tiny, words="not what", capsys=capsys)


def test_the_close_up_itself_is_refused(tiny, capsys):
    part, _, _ = closeup.enlarge(tiny.target, tiny.mask, zoom=2)
    assert refused(check_edit, part, tiny, words="outside the mask changed", capsys=capsys)


def test_a_close_up_put_in_the_wrong_place_is_refused(tiny, capsys):
    part, _, (left, top, right, bottom) = closeup.enlarge(tiny.target, tiny.mask, zoom=2)
    answer = closeup.put_back(tiny.image, tiny.mask, part, (left - 8, top, right - 8, bottom))
    assert refused(check_edit, answer, tiny, words="not what", capsys=capsys)


def test_the_larger_canvas_is_refused(tiny, capsys):
    assert refused(check_edit, tiny.target.resize((256, 256)), tiny, words="keep its size", capsys=capsys)


# --- what the notebook and its study say of letters ----------------------------------------------


def test_letter_height_is_that_of_the_drawing(sign):
    tall = replace(sign.thing, x=0.5, y=1.0, size=0.9, word="H")
    ink = (
        np.asarray(postcards.render(replace(sign.scene, light="day", things=(tall,)), 1000).convert("L")) < 80
    )
    rows = ink[:600, 350:650].any(axis=1)
    assert rows.sum() == pytest.approx(letter_height(tall, 1000), abs=3)


def test_a_shrunk_sign_asks_for_the_same_word_and_shows_another(sign):
    small = shrunk(sign, 0.8)
    assert small.thing.word == sign.thing.word and small.thing.size == 0.8 * sign.thing.size
    assert read_words([small.target, small.image], [small.thing] * 2) == ["ORF", "PSG"]
    assert shrunk(sign, 1.0).target.tobytes() == sign.target.tobytes()
