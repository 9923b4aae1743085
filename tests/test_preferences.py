"""Preference data: candidates, the oracle's picks, and the files they are kept in."""

import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from onereward_nb.postcards import candidates, example, preferences, score_all
from onereward_nb.postcards.comparing import edit_distance
from onereward_nb.postcards.preferences import Item
from onereward_nb.tasks import TASKS


def random_item(task="fill", seed=0):
    rng = np.random.default_rng(seed)
    images = [
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        for _ in range(preferences.CANDIDATES + 1)
    ]
    scores = [
        {"success": bool(rng.random() < 0.5), **dict.fromkeys(TASKS[task].dimensions, float(rng.random()))}
        for _ in images
    ]
    return Item(task, seed, "a red ball", images, scores)


def test_settings_are_random_within_their_ranges():
    rng = np.random.default_rng(0)
    drawn = [candidates.random_settings(rng) for _ in range(300)]
    assert {each["negative_prompt"] for each in drawn} == set(candidates.NEGATIVE_PROMPTS)
    assert {each["num_inference_steps"] for each in drawn} == set(range(4, 29))
    assert all(1 <= each["true_cfg_scale"] <= 8 and 0.6 <= each["strength"] <= 1 for each in drawn)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_and_the_worst_are_picked_or_nothing(seed):
    rng = np.random.default_rng(seed)
    values = rng.random(4) * rng.choice([0.04, 1.0])
    picked = preferences.best_and_worst([{"structure": value} for value in values], "structure")
    if max(values) - min(values) < preferences.MARGIN:
        assert picked is None
    else:
        assert picked == (values.argmax(), values.argmin())


def test_noisy_annotators_are_wrong_as_often_as_told():
    rng = np.random.default_rng(1)
    scores = [{"structure": value} for value in (0.1, 0.9)]
    picks = [preferences.best_and_worst(scores, "structure", rng, noise=0.2) for _ in range(2000)]
    assert np.mean([pick == (0, 1) for pick in picks]) == pytest.approx(0.2, abs=0.03)


def test_an_item_gives_one_pair_for_each_dimension_with_a_difference():
    item = random_item()
    for score in item.scores:
        score["aesthetics"] = 0.5
    pairs = list(preferences.pairs_of(item))
    assert [pair.dimension for pair in pairs] == [
        name for name in TASKS["fill"].dimensions if name != "aesthetics"
    ]
    for pair in pairs:
        values = {
            id(image): score[pair.dimension]
            for image, score in list(zip(item.images, item.scores, strict=True))[: preferences.CANDIDATES]
        }
        assert values[id(pair.winner)] == max(values.values()) and values[id(pair.loser)] == min(
            values.values()
        )
    assert list(preferences.pairs_of(item)) == pairs


def test_items_come_back_as_they_were_saved(tmp_path):
    items = [random_item(seed=seed) for seed in range(3)]
    preferences.save_items(items, tmp_path / "items.safetensors")
    again = preferences.load_items(tmp_path / "items.safetensors")
    for one, other in zip(items, again, strict=True):
        assert one._replace(images=None) == other._replace(images=None)
        assert all(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))


def test_another_file_is_refused_with_words(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"weights\.safetensors holds no items"):
        preferences.load_items(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("count", [3, 90, 2000])
def test_parts_share_the_items_among_the_tasks(count):
    made = preferences.parts(count)
    seeds = [seed for _, some in made for seed in some]
    assert len(seeds) == len(set(seeds)) == count and seeds[0] == 300_000
    assert max(len(some) for _, some in made) <= preferences.PART
    by_task = Counter({task: 0 for task in TASKS})
    for task, some in made:
        by_task[task] += len(some)
    assert max(by_task.values()) - min(by_task.values()) <= -(-count // 1000)


def test_parts_of_some_tasks_only():
    made = preferences.parts(900, tasks=["extend", "text"])
    assert [(task, len(seeds)) for task, seeds in made] == [("extend", 150), ("text", 150)] * 3


def test_more_items_keep_the_parts_that_there_are():
    few, many = dict(enumerate(preferences.parts(50))), dict(enumerate(preferences.parts(3000)))
    for number, (task, seeds) in few.items():
        assert many[number][0] == task and many[number][1][: len(seeds)] == seeds


def test_training_never_reaches_a_held_out_seed():
    with pytest.raises(ValueError, match="reach seed 1000000, which is held out"):
        preferences.parts(800_000)
    with pytest.raises(ValueError, match="reach seed 1000000, which is held out"):
        preferences.parts(5, first_seed=999_999)
    assert preferences.parts(5, first_seed=1_000_000)[0][1][0] == 1_000_000


def test_the_truth_takes_no_part_in_the_papers_pairs():
    item = random_item()
    for score in item.scores:
        score["structure"] = 0.5
    item.scores[-1]["structure"] = 1.0
    assert "structure" not in [pair.dimension for pair in preferences.pairs_of(item)]


def test_only_what_is_missing_or_too_short_is_made(tmp_path, monkeypatch):
    made = []

    def make(pipe, wanted, workers):
        for task, seeds in wanted:
            made.append((task, len(seeds)))
            yield [random_item(task, seed) for seed in seeds]

    monkeypatch.setattr(preferences, "make_items", make)
    first = preferences.complete(None, tmp_path, preferences.parts(3))
    assert made == [("fill", 1), ("text", 1), ("removal", 1)]
    assert first == preferences.complete(None, tmp_path, preferences.parts(3)) and len(made) == 3
    paths = preferences.complete(None, tmp_path, preferences.parts(6))
    assert made[3:] == [("fill", 2), ("extend", 1), ("extend-no-prompt", 1)]
    assert [len(preferences.load_notes(path)) for path in paths] == [2, 1, 1, 1, 1]


def test_the_script_makes_items_whose_truth_is_the_best(tmp_path, monkeypatch, capsys):
    options = ["--items", "1", "--device", "cpu", "--workers", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["preferences", *options])
    preferences.main()
    assert "fill-0300000.safetensors: 1 items" in capsys.readouterr().out
    (item,) = preferences.load_items(tmp_path / "fill-0300000.safetensors")
    assert (item.task, item.seed) == ("fill", 300_000)
    assert len(item.images) == len(item.scores) == preferences.CANDIDATES + 1
    different = np.asarray(item.images[0], int) - np.asarray(item.images[1], int)
    assert np.abs(different).max() > 5
    assert item.scores[-1]["text alignment"] >= max(score["text alignment"] for score in item.scores) - 0.02
    assert item.scores == score_all([example("fill", 300_000)] * 5, item.images)


@pytest.mark.parametrize("task", TASKS)
def test_some_candidates_are_told_something_nearly_right(task):
    told, astray = [], []
    for seed in range(60):
        edit = example(task, seed, 64)
        for number in range(preferences.CANDIDATES):
            told.append(candidates.told_prompt(edit, number))
            if told[-1] != edit.prompt:
                astray.append((edit, told[-1]))
            assert told[-1] == candidates.told_prompt(edit, number)
    # a letter may be changed to itself, a scene may be empty
    assert len(astray) / len(told) == pytest.approx(candidates.ASTRAY[task], abs=0.1)
    for edit, prompt in astray:
        if task == "text":
            word, asked = prompt.split('"')[1], edit.thing.word
            assert 1 <= len(word) <= 4 and edit_distance(word, asked) == 1
        elif task == "fill":
            assert prompt.split()[1:3] != edit.prompt.split()[1:3]
            assert set(prompt.split()[1:3]) & set(edit.prompt.split()[1:3])
        elif task == "removal":
            assert prompt.split()[-1] in ("day", "sunset", "night", "dawn")


def test_candidates_keep_what_is_outside_the_mask_and_end_with_the_truth(postcard, monkeypatch):
    monkeypatch.setattr(
        candidates, "edit_examples", lambda pipe, examples, **_: [each.image for each in examples]
    )
    examples = preferences.draw_examples("removal", range(8))
    for edit, images in zip(
        examples, candidates.make_candidates(postcard, examples, np.random.default_rng(0)), strict=True
    ):
        mask = np.asarray(edit.mask) > 0
        truth = np.asarray(images[-1], int) - np.asarray(edit.target, int)
        assert len(images) == 5 and np.abs(truth)[mask].mean() < 8
        assert np.array_equal(np.asarray(images[-1])[~mask], np.asarray(edit.image)[~mask])


def test_the_items_that_come_along_are_those_of_their_command():
    items = preferences.shipped_items()
    wanted = [(task, seed) for task, seeds in preferences.parts(12, first_seed=1_000_000) for seed in seeds]
    assert [(item.task, item.seed) for item in items] == wanted
    command = "--items 12 --first-seed 1000000 --out assets/preferences"
    assert command in (preferences.SHIPPED / "README.md").read_text(encoding="utf-8")
    for item in items[::5]:
        again = score_all([example(item.task, item.seed)] * len(item.images), item.images)
        for stored, now in zip(item.scores, again, strict=True):
            assert stored == pytest.approx(now, abs=0.01)
