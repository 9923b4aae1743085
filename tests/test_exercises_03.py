"""The exercises of notebook 03: the folded solutions pass, plausible wrong answers are told what is wrong."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from solutions import solve

import onereward_nb as onr
from onereward_nb import masks, postcards
from onereward_nb.exercises.object_removal import check_chooser, check_cover, check_removal
from onereward_nb.postcards.measure.object_removal import (
    CASES,
    around,
    background_words,
    changes,
    edit,
    stands_instead,
    thing_only,
)

NOTEBOOK = "03_object_removal"


@pytest.fixture(scope="module")
def ball():
    return postcards.example("removal", 1_000_001)


@pytest.fixture(scope="module")
def tree():
    return postcards.example("removal", 1_000_005)


# --- exercise 1: cover the shadow too -------------------------------------------------------------


def test_the_solution_covers_the_shadow(ball, capsys):
    assert check_cover(solve(NOTEBOOK, 1, masks=masks, ball=ball)["answer"], ball)
    assert "the ball with its shadow, and nothing that stays" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda ball: masks.ellipse(ball.image, 45, 76, 71, 102), "of its shadow: go lower and wider"),
        (lambda ball: masks.grow(thing_only(ball), 1), "of its shadow"),
        (lambda ball: masks.shrink(changes(ball), 2), "of the ball: grow or move it"),
        (lambda ball: masks.invert(masks.grow(changes(ball), 3)), "invert it"),
        (lambda ball: masks.box(ball.image, 36, 70, 90, 108), 'touches an orange sign "M"'),
        (lambda ball: masks.box(ball.image, 35, 73, 76, 128), "draw it closer"),
        (lambda ball: changes(ball).resize((64, 64)), "they must match"),
    ],
)
def test_masks_that_cover_too_little_or_too_much(ball, wrong, words, capsys):
    assert not check_cover(wrong(ball), ball)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


# --- exercise 2: make it go -----------------------------------------------------------------------


def test_the_solution_takes_the_tree_away(postcard, tree, capsys):
    assert check_removal(solve(NOTEBOOK, 2, onr=onr, masks=masks, pipe=postcard, tree=tree)["answer"], tree)
    assert "the tree is gone with its shadow" in capsys.readouterr().out


def test_asking_to_remove_is_refused(postcard, tree, capsys):
    mask = masks.box(tree.image, 20, 66, 60, 110)
    answer = onr.run_task(postcard, "removal", tree.image, mask, "remove", num_inference_steps=8)
    assert not check_removal(answer, tree)
    assert "stands where the tree was" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda tree: tree.image, "a tree stands where the tree was"),
        (
            lambda tree: Image.composite(tree.target, tree.image, masks.grow(thing_only(tree), 1)),
            "its shadow is still there: mask it too",
        ),
        (
            lambda tree: Image.composite(tree.image, tree.target, masks.grow(changes(tree), 3)),
            "a tree stands",
        ),
        (
            lambda tree: Image.composite(
                postcards.render(replace(tree.scene, light="day")), tree.image, masks.grow(changes(tree), 4)
            ),
            "the background does not go on",
        ),
        (lambda tree: tree.target.point(lambda value: min(255, value + 9)), "paste the rest back"),
        (lambda tree: tree.target.resize((64, 64)), "keep its size"),
    ],
)
def test_removals_that_are_none(tree, wrong, words, capsys):
    assert not check_removal(wrong(tree), tree)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


# --- exercise 3: choose without the truth ---------------------------------------------------------


def test_the_solution_chooses_the_clean_picture(capsys):
    assert check_chooser(solve(NOTEBOOK, 3, np=np)["choose"])
    assert "never saw the truth" in capsys.readouterr().out


def masked_pixels(picture, mask):
    return np.asarray(picture, float)[np.asarray(mask) > 0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda pictures, mask: 0, "it chooses the one with"),
        (lambda pictures, mask: pictures[0], "return the index of a picture"),
        (lambda pictures, mask: len(pictures), "return the index of a picture"),
        (  # the calmest: a pale rest is calm, too
            lambda pictures, mask: int(np.argmin([masked_pixels(each, mask).std() for each in pictures])),
            "it chooses",
        ),
        (  # the brightest
            lambda pictures, mask: int(np.argmax([masked_pixels(each, mask).mean() for each in pictures])),
            "it chooses",
        ),
        (  # the mask inverted: what was kept is the same in all of them
            lambda pictures, mask: int(
                np.argmin([masked_pixels(each, masks.invert(mask)).std() for each in pictures])
            ),
            "it chooses the one with",
        ),
    ],
)
def test_choices_that_miss(wrong, words, capsys):
    assert not check_chooser(wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


# --- what the study counts ------------------------------------------------------------------------


def test_the_oracle_names_what_stands_instead(ball, tree):
    judges = [replace(each, mask=around(changes(each))) for each in (ball, tree)]
    assert stands_instead(judges, [each.image for each in judges]) == ["ball", "tree"]
    assert stands_instead(judges, [each.target for each in judges]) == [None, None]
    swapped = replace(ball.thing, kind="flower", size=0.26)
    assert stands_instead(judges[:1], [postcards.render(ball.scene.with_things(swapped))]) == ["flower"]


def test_the_masks_of_the_study_cover_what_they_say():
    removal = postcards.example("removal", 1_000_000)  # at the picture's left edge
    shown = {name: np.asarray(case.mask(removal)) > 0 for name, case in CASES.items()}
    changed, thing = (np.asarray(each) > 0 for each in (changes(removal), thing_only(removal)))
    assert shown["background"][changed].all() and shown["empty prompt, outline"][changed].all()
    assert shown["background, shadow left"][thing].all()
    assert not shown["background, shadow left"][changed & ~thing].all()


def test_the_background_is_named_in_words_of_the_captions(tree):
    assert background_words(tree) == "grass at sunset"
    balloon = replace(tree, thing=replace(tree.thing, kind="balloon"))
    assert background_words(balloon) == "the sky at sunset"


def test_an_empty_prompt_stays_empty_and_each_example_has_its_negative_prompt(ball, tree):
    calls = []

    def pipe(prompts, **arguments):
        calls.append((prompts, arguments["negative_prompt"], arguments["true_cfg_scale"]))
        return SimpleNamespace(images=arguments["image"])

    pipe.settings = {"negative_prompt": "nsfw", "true_cfg_scale": 4.0}
    removals = [replace(ball, prompt=""), tree, ball]
    assert len(edit(pipe, removals, ["a", "b", "c"], batch=2)) == 3
    assert len(edit(pipe, removals[:1], true_cfg_scale=1.0)) == 1
    assert calls == [
        (["", "remove"], ["a", "b"], 4.0),
        (["remove"], ["c"], 4.0),
        ([""], [""], 1.0),
    ]
