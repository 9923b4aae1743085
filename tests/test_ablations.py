"""Ablations of the reinforcement learning: what is run, and what the seeds come to."""

import json
import sys

import pytest

from onereward_nb.evaluation import wilson
from onereward_nb.postcards.train import ablations, onereward


def look(step, **right):
    """An entry of a log: how many of four examples of each task were right."""
    success = {task: {"rate": count / 4, "examples": 4} for task, count in right.items()}
    figures = {task: {"success": each} for task, each in success.items()}
    return {
        "step": step,
        "success": {task: each["rate"] for task, each in success.items()},
        "figures": figures,
    }


def run(start, end, reward):
    return {
        "log": [look(0, **start), {"loss": 0.5, "reward": {"fill": 0.1}}, {"reward": reward}, look(60, **end)]
    }


@pytest.mark.parametrize("change", ablations.CHANGES)
def test_every_run_is_one_of_the_training_script(change, tmp_path):
    words = ablations.command(change, 2, "postcard-reward", tmp_path)
    args = onereward.options().parse_args(words[1:])
    settings = onereward.settings(args)
    assert words[0] == "onereward" and (args.seed, args.out, args.iterations) == (2, tmp_path, 60)
    standard = onereward.settings(
        onereward.options().parse_args(ablations.command("standard", 2, "postcard-reward", tmp_path)[1:])
    )
    same = settings == standard and (args.algorithm, args.tasks) == (1, ["fill", "removal"])
    assert same == (change == "standard")


def test_seeds_are_pooled_example_by_example():
    runs = [
        run({"fill": 4, "removal": 0}, {"fill": 3, "removal": 2}, {"fill": 0.3, "removal": 0.9}),
        run({"fill": 4, "removal": 1}, {"fill": 4, "removal": 4}, {"removal": 0.7}),
    ]
    figures = ablations.summary(runs)
    assert figures["start"]["removal"]["rate"] == 1 / 8 and figures["start"]["fill"]["rate"] == 1
    low, high = wilson(6, 8)
    assert figures["end"]["removal"] == {"rate": 0.75, "low": low, "high": high, "examples": 8}
    assert figures["by seed"] == {"fill": [0.75, 1.0], "removal": [0.5, 1.0]}
    assert figures["reward"] == {"fill": [0.3, None], "removal": [0.9, 0.7]}


def test_finished_runs_stay_and_the_rest_are_made(tmp_path, monkeypatch):
    made = []

    def pretend(command, check):
        folder = command[command.index("--out") + 1]
        made.append(folder)
        finished = run({"removal": 0}, {"removal": 3}, {"removal": 0.5})
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "training.json").write_text(json.dumps(finished))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ablations.subprocess, "run", pretend)
    monkeypatch.setattr(sys, "argv", ["ablations", "--out", "runs", "--results", "rl.json"])
    ablations.main()
    assert len(made) == len(set(made)) == len(ablations.CHANGES) * len(ablations.SEEDS)
    ablations.main()  # nothing is left to be done
    assert len(made) == len(ablations.CHANGES) * len(ablations.SEEDS)
    figures = json.loads((tmp_path / "rl.json").read_text())
    assert list(figures["runs"]) == list(ablations.CHANGES)
    assert figures["runs"]["standard"]["end"]["removal"]["examples"] == 4 * len(ablations.SEEDS)
