"""The figures of the README, and the settings that the package recommends, are those of the results files."""

import json
import re
from pathlib import Path

import pytest

from onereward_nb import MODELS, QUICK
from onereward_nb.plans import PLANS, needs

ROOT = Path(__file__).resolve().parents[1]


def test_the_readme_gives_the_measured_rates():
    measured = json.loads((ROOT / "assets/results/postcard-fill.json").read_text())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{measured['command']}`" in readme
    for task, figures in measured["tasks"].items():
        row = re.search(rf"^\| {task} \|.*\| ([\d.]+)% \| (\d+)% to (\d+)% \| ([\d.]+)% \|$", readme, re.M)
        success, truth = figures["success"], figures["truth itself"]
        low, high = (f"{100 * success[end]:.0f}" for end in ("low", "high"))
        rate, of_truth = (f"{100 * each['rate']:g}" for each in (success, truth))
        assert row and row.groups() == (rate, low, high, of_truth), task
        assert success["examples"] >= 200


def test_the_readme_compares_the_models_as_measured():
    measured = json.loads((ROOT / "assets/results/comparison.json").read_text())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{measured['command']}`" in readme and f"\n{measured['examples']} held-out" in readme
    for task in measured["models"]["postcard-fill"]["own"]:
        found = [table["own"][task]["success"] for table in measured["models"].values()]
        cells = [
            " ({low:.0f} to {high:.0f})".format(**{k: 100 * v for k, v in each.items()}) for each in found
        ]
        rates = [f"{100 * each['rate']:.0f}%{cell}" for each, cell in zip(found, cells, strict=True)]
        assert f"| {task} | {' | '.join(rates)} |" in readme
    unguided = {name: table["1"] for name, table in measured["models"].items()}
    names = [f"postcard-fill{which}" for which in ("", "-onereward", "-onereward-dynamic")]
    extends = [unguided[name]["extend-no-prompt"]["success"]["rate"] for name in names]
    fills, texts = (
        [unguided[name][task]["success"]["rate"] for name in names[1:]] for task in ("fill", "text")
    )
    said = (
        "base reaches {:.0%}, and the two {:.0%} and {:.0%}, while their fill falls to {:.0%} and {:.0%}, "
        "their text to {:.0%} and {:.0%}"
    )
    assert said.format(*extends, *fills, *texts) in " ".join(readme.split())


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("postcard-fill-onereward", "onereward"),
        ("postcard-fill-onereward-dynamic", "onereward-dynamic"),
        ("postcard-fill-removal-lora", "removal-lora-training"),
    ],
)
def test_the_cards_of_rewarded_models_tell_their_run(name, result):
    card = " ".join((ROOT / "assets/models" / name / "README.md").read_text(encoding="utf-8").split())
    run = json.loads((ROOT / f"assets/results/{result}.json").read_text())
    looks = [entry for entry in run["log"] if "true score" in entry]
    kept, last = max(looks[1:], key=lambda look: look["true score"]), looks[-1]
    assert run["command"] in card
    assert f"{last['step']} iterations in {last['minutes']:.1f} minutes" in card
    assert f"the average of the weights after {kept['step']}," in card


def test_the_cards_give_the_measured_rates():
    models = json.loads((ROOT / "assets/results/comparison.json").read_text())["models"]
    card = (ROOT / "assets/models/postcard-fill-removal-lora/README.md").read_text(encoding="utf-8")
    for task in ("removal", "fill"):
        rate = models["postcard-fill-removal-lora"]["own"][task]["success"]
        assert f"| {task} | {rate['rate']:.1%} ({rate['low']:.1%} to {rate['high']:.1%}) |" in card
    cells = json.loads((ROOT / "assets/results/reward-postcard.json").read_text())["cells"]
    card = " ".join((ROOT / "assets/models/postcard-reward/README.md").read_text(encoding="utf-8").split())
    said = (
        "How well a word goes with its picture ({:.0%} of pairs), the structure of an extension ({:.0%}, and "
        "{:.0%} without a prompt) and of letters ({:.0%})"
    )
    worst = [
        ("text", "consistency"),
        *((task, "structure") for task in ("extend", "extend-no-prompt", "text")),
    ]
    assert said.format(*(cells[task][dimension]["rate"] for task, dimension in worst)) in card
    beauty = cells["extend"]["aesthetics"]
    told = "only {examples} pairs could be told apart; there it got {rate:.0%} ({low:.0%} to {high:.0%})"
    assert told.format(**beauty) in card


def test_the_readme_gives_the_memory_and_speed_as_measured():
    memory, speed = (
        json.loads((ROOT / f"assets/results/full-size-{what}.json").read_text())
        for what in ("memory", "speed")
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{memory['command']}`" in readme and f"`{speed['command']}`" in readme
    for name, by_cap in memory["plans"].items():
        peaks = [row["GPU, GiB"] for row in by_cap.values() if "GPU, GiB" in row]
        expected = f"{max(peaks) * 2**30 / 1e9:.1f} GB" if peaks else "–"
        row = re.search(rf"^\| `{name}` \|[^|]*\| ([\d.]+) GB \| ([^|]*) \|", readme, re.M)
        assert row[1] == f"{needs(PLANS[name]).gpu:.1f}" and row[2] == expected, name
    of_system = {
        name: max(row["system, GiB"] for row in by_cap.values() if "system, GiB" in row) * 2**30 / 1e9
        for name, by_cap in memory["plans"].items()
        if name != "layers"  # which was not measured
    }
    said = (
        "`resident` took {resident:.1f} GB, `offload` {offload:.1f}, `int8` {int8:.1f} and `nf4` {nf4:.1f},"
    )
    assert said.format(**of_system) in " ".join(readme.split())
    assert memory["plans"]["offload"]["23"]["out of memory"]  # so "it is none for a card of 24 GB"
    for name, row in speed["rows"].items():
        cells = (
            f"{row['seconds']:.1f} | {row['ratio']:.2f} | {row['peak GiB']:.1f} | {100 * row['error']:.0f}%"
        )
        assert f"| {name} | {cells} |" in readme, name


def test_the_reader_is_right_on_untouched_renders():
    measured = json.loads((ROOT / "assets/results/postcard-reader.json").read_text())
    assert min(measured[what]["rate"] for what in ("kind", "colour", "letter")) >= 0.99


# --- the settings for quick edits, as the study of guidance measured them --------------------------

STUDY = json.loads((ROOT / "assets/results/guidance.json").read_text())
BY_STEPS = STUDY["sweeps"]["steps"]
FULL = BY_STEPS["28"]


def keeps_up(point):
    """Whether no task's success rate lies below the interval that 28 steps of full CFG have."""
    return all(
        point["success"][task]["rate"] >= full["low"] and full["examples"] >= 200
        for task, full in FULL["success"].items()
    )


def test_quick_edits_keep_the_success_rate_at_a_third_of_the_cost():
    assert STUDY["settings"] == MODELS["postcard-fill"].settings
    assert list(QUICK) == ["num_inference_steps"]  # the one knob of the sweep that this looks at
    quick = BY_STEPS[str(QUICK["num_inference_steps"])]
    assert keeps_up(quick)
    assert quick["passes"] <= FULL["passes"] / 3


@pytest.mark.parametrize(("sweep", "name"), [("steps", "2"), ("scale", "8")])
def test_settings_that_lose_are_told_apart(sweep, name):
    assert not keeps_up(STUDY["sweeps"][sweep][name])


# --- what the paper says --------------------------------------------------------------------------

PAPER = json.loads((ROOT / "assets/results/paper.json").read_text(encoding="utf-8"))
IN_PERCENT = {"usability", "text rendering", "removal quality"}


def test_the_papers_figures_lie_on_their_scales_and_name_their_source():
    assert all(PAPER[part]["source"] for part in ("accuracy", "systems", "good/same/bad"))
    systems = PAPER["systems"]
    assert set(systems["tasks"]) == set(systems["images"])
    for task, by_system in systems["tasks"].items():
        assert systems["own"] in by_system
        assert len({tuple(figures) for figures in by_system.values()}) == 1, f"{task}: other columns"
        for figures in by_system.values():
            for name, value in figures.items():
                assert 5 < value < 100 if name in IN_PERCENT else 1 <= value <= 5, (task, name)
    for row in PAPER["good/same/bad"]["rows"]:
        assert sum(row) == pytest.approx(100, abs=0.15)


def test_the_accuracies_beside_ours_are_the_papers():
    cells = json.loads((ROOT / "assets/results/reward-postcard.json").read_text())["cells"]
    published = PAPER["accuracy"]["tasks"]
    beside = {
        task: {name: cell["paper"] for name, cell in by_dimension.items() if cell["paper"]}
        for task, by_dimension in cells.items()
    }
    assert {task: cells for task, cells in beside.items() if cells} == published
