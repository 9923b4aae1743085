"""The figures of a reward model, on judges whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from onereward_nb.postcards import preferences
from onereward_nb.postcards.measure import reward
from onereward_nb.postcards.preferences import Item
from onereward_nb.tasks import TASKS


class Judge:
    """Prefers the brighter picture, by a logit of its own, plus a liking for the first place."""

    def __init__(self, liking=0.0):
        self.liking, self.model = liking, SimpleNamespace(device=torch.device("cpu"))

    def preference(self, firsts, seconds, *, task, dimension, prompt):
        assert dimension in task.dimensions and len(prompt) == len(firsts) == len(seconds)
        brightness = [np.array([np.mean(np.asarray(image)) for image in side]) for side in (firsts, seconds)]
        logits = (brightness[0] - brightness[1]) / 8 + self.liking
        return (1 / (1 + np.exp(-logits))).tolist()


def grey(level):
    return Image.new("RGB", (128, 128), (int(level),) * 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Items in whose first dimension the brighter is better, in all others the darker."""
    folder, rng = tmp_path_factory.mktemp("items"), np.random.default_rng(0)
    for task in TASKS.values():
        items = []
        for seed in range(30):
            levels = rng.choice(256, 5, replace=False)
            scores = [
                {name: abs(bool(place) - level / 255) for place, name in enumerate(task.dimensions)}
                for level in levels
            ]
            items.append(Item(task.name, seed, "a red ball", [grey(level) for level in levels], scores))
        preferences.save_items(items, folder / f"{task.name}-0000000.safetensors")
    return sorted(folder.iterdir())


def test_a_judge_is_right_where_it_is_and_wrong_where_it_is_not(files):
    figures = reward.measure(Judge(), files, planted=2)
    for task in TASKS.values():
        for place, dimension in enumerate(task.dimensions):
            cell = figures["cells"][task.name][dimension]
            assert cell["rate"] == cell["both orders"]["rate"] == (1.0 if place == 0 else 0.0)
            assert cell["examples"] == cell["both orders"]["examples"] == 30
    assert figures["cells"]["fill"]["consistency"]["paper"] == 74.23
    for dimension, bins in figures["gaps"].items():
        pairs = [cell[dimension]["examples"] for cell in figures["cells"].values() if dimension in cell]
        assert sum(each["examples"] for each in bins) == sum(pairs)
        assert all(low < high for low, high in (each["gap"] for each in bins))
    assert figures["cells"]["text"]["text rendering"]["paper"] is None
    assert figures["position bias in points"] == pytest.approx(0, abs=1e-6)
    assert figures["says Yes"]["rate"] == pytest.approx(0.5, abs=1e-6)
    assert set(figures["planted"]) == set(TASKS)
    assert figures["speed"]["pairs per second"] > 0


def test_a_liking_for_the_first_place_shows_and_cancels(files):
    figures = reward.measure(Judge(liking=100.0), files, planted=2, task="removal")
    assert list(figures["cells"]) == list(figures["planted"]) == ["removal"]
    assert figures["position bias in points"] == pytest.approx(50, abs=0.1)
    assert figures["says Yes"]["rate"] == 1.0
    cell = figures["cells"]["removal"]["removal quality"]
    assert cell["rate"] == 0.5  # right where the winner comes first
    mild = reward.measure(Judge(liking=3.0), files, planted=2, task="removal")["cells"]["removal"]
    assert mild["removal quality"]["both orders"]["rate"] == 1.0


@pytest.mark.parametrize(("winner", "loser", "right"), [(200, 100, 1.0), (100, 200, 0.0)])
def test_planted_faults_count_as_the_judge_sees_them(files, monkeypatch, winner, loser, right):
    def planted(kind, task, count):
        return [
            preferences.Pair(task, seed, kind.dimension, "a red ball", grey(winner), grey(loser))
            for seed in range(count)
        ]

    monkeypatch.setattr(reward, "planted_pairs", planted)
    for figures in reward.measure(Judge(), files, planted=4, task="fill")["planted"]["fill"].values():
        assert figures["rate"] == figures["both orders"]["rate"] == right and figures["examples"] == 4
    # for one that always likes the first, the fault comes first in half of the pairs
    for figures in reward.measure(Judge(100.0), files, planted=4, task="fill")["planted"]["fill"].values():
        assert figures["rate"] == 0.5


def test_near_ties_and_plain_cases_are_counted_apart():
    pairs = [preferences.Pair("fill", 0, "structure", "", None, None, gap) for gap in (0.06, 0.1, 0.15, 1.0)]
    bins = reward.by_gap(pairs, np.array([False, True, False, True]))["structure"]
    assert [(each["gap"], each["examples"], each["rate"]) for each in bins] == [
        ([0.05, 0.1], 1, 0.0),
        ([0.1, 0.2], 2, 0.5),
        ([0.4, 1.0], 1, 1.0),
    ]


def test_judges_of_one_task_are_asked_about_theirs_only(files):
    judges = {"unified": Judge(), **{name: Judge() for name in TASKS}}
    judges["extend"] = Judge(liking=100.0)
    figures = reward.measure_per_task(judges, files)
    for name, task in TASKS.items():
        for place, dimension in enumerate(task.dimensions):
            right = 1.0 if place == 0 else 0.0
            assert figures["unified"][name][dimension]["rate"] == right
            assert figures["per task"][name][dimension]["rate"] == (0.5 if name == "extend" else right)


def test_a_judge_that_is_too_sure_is_badly_calibrated(files):
    figures = reward.measure(Judge(), files, planted=2, task="fill")
    assert figures["calibration"]["expected error"] > 0.5  # three of four dimensions the wrong way round
    said = [each["said"] for each in figures["calibration"]["bins"]]
    assert said == sorted(said) and 0 <= said[0] < 0.1 and 0.9 < said[-1] <= 1
