"""Scenes: made from a seed alone, varied, free of overlaps, and named by their captions thing by thing."""

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from onereward_nb.postcards import make_scene
from onereward_nb.postcards.scenes import COLOURS, GROUNDS, KINDS, LETTERS, LIGHTS

SCENES = [make_scene(seed) for seed in range(400)]


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    assert [make_scene(seed) for seed in range(400)] == SCENES
    assert len({(scene.horizon, scene.sun, scene.hills) for scene in SCENES}) == len(SCENES)


def test_every_light_ground_kind_and_colour_occurs_and_up_to_four_things():
    assert {scene.light for scene in SCENES} == set(LIGHTS)
    assert {scene.ground for scene in SCENES} == set(GROUNDS)
    assert {len(scene.things) for scene in SCENES} == {0, 1, 2, 3, 4}
    things = [thing for scene in SCENES for thing in scene.things]
    assert {(thing.kind, thing.colour) for thing in things} == {(k, c) for k in KINDS for c in COLOURS}


def test_words_have_one_to_four_letters_and_stand_on_signs_only():
    signs = [thing for seed in range(300) for thing in make_scene(seed, ("sign",)).things]
    words = [thing.word for thing in signs if thing.kind == "sign"]
    lengths = Counter(len(word) for word in words)
    assert set(lengths) == {1, 2, 3, 4} and min(lengths.values()) > 0.15 * len(words)
    assert set("".join(words)) == set(LETTERS)
    assert not any(thing.word for thing in signs if thing.kind != "sign")


def named_in(caption):
    """The things that a caption names, from left to right, read back by their grammar."""
    found = re.findall(r'(an?) ([a-z]+) ([a-z]+)(?: "([A-Z]*)")?', caption)
    assert all((article == "an") == (colour[0] in "aeiou") for article, colour, _, _ in found)
    return [(colour, kind, word) for _, colour, kind, word in found]


@pytest.mark.parametrize("include", [(), ("sign",)])
def test_a_caption_names_exactly_the_things_from_left_to_right(include):
    for seed in range(200):
        scene = make_scene(seed, include)
        standing = sorted((thing.x, thing.colour, thing.kind, thing.word) for thing in scene.things)
        assert named_in(scene.caption) == [thing[1:] for thing in standing]
        assert scene.caption.endswith(f"{scene.ground} {LIGHTS[scene.light]}")
        assert scene.caption.count(" on ") == bool(scene.things)


def test_things_keep_apart_inside_the_picture_and_stand_on_the_ground():
    for scene in SCENES:
        for thing in scene.things:
            left, top, right, bottom = thing.box
            assert 0 < left < right < 1 and 0 < top < bottom < 1
            assert thing.kind == "balloon" or bottom > scene.horizon
        for a, b in combinations(scene.things, 2):
            apart_in_x = max(a.box[0], b.box[0]) > min(a.box[2], b.box[2])
            apart_in_y = max(a.box[1], b.box[1]) > min(a.box[3], b.box[3])
            assert apart_in_x or apart_in_y, (a, b)
        assert list(scene.things) == sorted(scene.things, key=lambda thing: thing.y)


def test_what_must_stand_in_a_scene_does():
    rng = np.random.default_rng(0)
    for seed in range(100):
        include = tuple(rng.choice([kind for kind in KINDS if kind != "sign"], rng.integers(1, 4)))
        kinds = Counter(thing.kind for thing in make_scene(seed, include).things)
        assert not Counter(include) - kinds


@pytest.mark.parametrize(
    "include, problem",
    [
        (("dog",), "no kind 'dog'.* house, tree, ball"),
        (("ball",) * 5, "at most four"),
        (("sign",) * 4, "no room"),
    ],
)
def test_what_cannot_stand_in_a_scene_is_refused_in_words(include, problem):
    with pytest.raises(ValueError, match=problem):
        make_scene(0, include)


def test_taking_a_thing_out_leaves_the_rest_and_putting_it_back_restores_the_scene():
    for scene in SCENES[:100]:
        for thing in scene.things:
            rest = scene.without(thing)
            assert set(rest.things) == set(scene.things) - {thing}
            assert rest.with_things(thing) == scene
