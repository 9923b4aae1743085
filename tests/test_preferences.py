"""Preference data: candidates, the oracle's picks, and the files they are kept in."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from onereward_nb.postcards import preferences
from onereward_nb.postcards.preferences import Item
from onereward_nb.tasks import TASKS


def random_item(task="fill", seed=0):
    rng = np.random.default_rng(seed)
    images = [
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        for _ in range(preferences.CANDIDATES)
    ]
    scores = [
        {"success": bool(rng.random() < 0.5), **dict.fromkeys(TASKS[task].dimensions, float(rng.random()))}
        for _ in images
    ]
    return Item(task, seed, "a red ball", images, scores)


def test_settings_are_random_within_their_ranges():
    rng = np.random.default_rng(0)
    drawn = [preferences.random_settings(rng) for _ in range(300)]
    assert {each["negative_prompt"] for each in drawn} == set(preferences.NEGATIVE_PROMPTS)
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
            id(image): score[pair.dimension] for image, score in zip(item.images, item.scores, strict=True)
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


def test_parts_cover_all_tasks_and_no_held_out_seed():
    made = preferences.parts(90)
    assert [seed for _, seeds in made for seed in seeds] == list(range(300_000, 300_090))
    assert {task for task, _ in made} == set(TASKS)
    with pytest.raises(ValueError, match="reach seed 1000000, which is held out"):
        preferences.parts(800_000)


def test_the_script_makes_what_is_missing_and_the_same_again(postcard, tmp_path):
    command = [sys.executable, "-m", "onereward_nb.postcards.preferences", "--items", "2", "--device", "cpu"]

    def run():
        done = subprocess.run(
            [*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert "fill-0300000.safetensors: 2 items" in run()
    path = tmp_path / "fill-0300000.safetensors"
    first, written = preferences.load_items(path), path.stat().st_mtime_ns
    assert "items" not in run() and path.stat().st_mtime_ns == written
    assert [item.seed for item in first] == [300_000, 300_001]
    assert {len(item.images) for item in first} == {preferences.CANDIDATES}
    different = np.asarray(first[0].images[0], int) - np.asarray(first[0].images[1], int)
    assert np.abs(different).max() > 5
