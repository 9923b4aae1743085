"""Train the same small policy with one thing changed at a time, from several seeds:
python -m onereward_nb.postcards.train ablations --out runs/ablations --results assets/results/rl-ablations.json

Each run is one of `train onereward`, short enough for one core. A run that is finished stays; call again to go on.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from ...evaluation import rate
from ...files import write_json

STANDARD = {
    "tasks": ["fill", "removal"],
    "algorithm": [1],
    "bound": [0.95],
    "t-range": [0.5, 1.0],
    "tau": [0.9],
    "iterations": [60],
    "batch": [6],
    "steps": [6],
    "true-cfg-scale": [1],
    "lr": [2e-4],
    "scenes": [100],
    "measure-every": [60],
    "tuning-examples": [24],
}
CHANGES = {
    "standard": {},
    "Algorithm 2": {"algorithm": [2]},
    "removal alone": {"tasks": ["removal"]},
    "lambda 0.6": {"bound": [0.6]},
    "t from all steps": {"t-range": [0.0, 1.0]},
    "t: the last step": {"t-range": [0.8, 1.0]},
    "tau 0.98": {"tau": [0.98]},
}
SEEDS = (0, 1, 2)
UNENDING = 1e6  # minutes: the iterations end a run


def command(change, seed, reward, out):
    """The words of `train onereward` for one run."""
    options = STANDARD | CHANGES[change] | {"seed": [seed], "reward": [reward], "out": [out]}
    words = [word for name, values in options.items() for word in (f"--{name}", *map(str, values))]
    return ["onereward", *words, "--minutes", str(UNENDING), "--device", "cpu"]


def summary(runs):
    """What the seeds of one change came to: success at the start and the end, and the last reward, by task.

    runs: their training.json. Returns {"start" and "end": {task: rate over the examples of all seeds}, "by seed":
    {task: [rate at the end]}, "reward": {task: [mean of the last report, None where the task was not drawn]}}.
    """
    looks = [[entry for entry in run["log"] if "success" in entry] for run in runs]
    told = [[entry for entry in run["log"] if "reward" in entry][-1]["reward"] for run in runs]
    tasks = list(looks[0][0]["success"])
    return {
        "start": {task: pooled([each[0] for each in looks], task) for task in tasks},
        "end": {task: pooled([each[-1] for each in looks], task) for task in tasks},
        "by seed": {task: [each[-1]["success"][task] for each in looks] for task in tasks},
        "reward": {task: [of_run.get(task) for of_run in told] for task in tasks},
    }


def pooled(looks, task):
    """One rate from those of several looks."""
    rates = [look["figures"][task]["success"] for look in looks]
    return rate(np.concatenate([np.arange(r["examples"]) < round(r["rate"] * r["examples"]) for r in rates]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reward", default="postcard-reward", help="name or folder of the reward model")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"), help="folder of the runs")
    parser.add_argument("--results", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args()
    runs = {}
    for seed in SEEDS:
        for change in CHANGES:
            folder = args.out / f"{change.replace(' ', '-').replace(':', '')}-{seed}"
            finished = folder / "training.json"
            if not finished.exists():
                words = command(change, seed, args.reward, folder)
                print(change, f"seed {seed}", flush=True)
                subprocess.run([sys.executable, "-m", "onereward_nb.postcards.train", *words], check=True)
            runs.setdefault(change, []).append(json.loads(finished.read_text()))
    figures = {
        "command": " ".join(["python -m onereward_nb.postcards.train", "ablations", *sys.argv[1:]]),
        "standard": STANDARD,
        "changes": CHANGES,
        "seeds": SEEDS,
        "runs": {change: summary(each) for change, each in runs.items()},
    }
    write_json(args.results, figures)
    print(f"written to {args.results}")
