"""Measure on held-out seeds, and write the figures down with the command that made them.

python -m onereward_nb.postcards.measure reader             # how well the oracle reads untouched renders
python -m onereward_nb.postcards.measure postcard-fill      # VAE, guidance scale, success rate of each task
python -m onereward_nb.postcards.measure image-fill --examples 100       # notebook 01
python -m onereward_nb.postcards.measure text-rendering --examples 100   # notebook 02
python -m onereward_nb.postcards.measure image-extend --examples 100     # notebook 04
python -m onereward_nb.postcards.measure panorama --examples 100         # notebook 04
python -m onereward_nb.postcards.measure object-removal --examples 100   # notebook 03
python -m onereward_nb.postcards.measure guidance --examples 200         # notebook 07: hours on a CPU, minutes on a GPU
python -m onereward_nb.postcards.measure reward --examples 2000          # notebook 08: minutes on a GPU
python -m onereward_nb.postcards.measure per-task --judge runs/judges    # notebook 08: minutes on a GPU
python -m onereward_nb.postcards.measure comparison --examples 500       # notebook 10: all fill models, minutes on a GPU
python -m onereward_nb.postcards.measure best-of --examples 100          # notebook 08: minutes on a GPU
"""

import argparse
import json
import sys
from pathlib import Path

from ...evaluation import HELD_OUT, RESULTS
from ...files import write_json
from ...models import load_pipeline
from ...reward import load_reward_model
from ...tasks import TASKS
from ..preferences import complete, parts
from . import (
    best_of,
    comparison,
    guidance,
    image_extend,
    image_fill,
    model,
    object_removal,
    panorama,
    reader,
    reward,
    text_rendering,
)

# what a notebook tells of, measured with more examples than it could run: {name: function of pipeline and count}
STUDIES = {
    "guidance": guidance.measure,
    "image-extend": image_extend.measure,
    "image-fill": image_fill.measure,
    "object-removal": object_removal.measure,
    "panorama": panorama.measure,
    "text-rendering": text_rendering.measure,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what",
        help=", ".join(
            ["reader", "reward", "per-task", "best-of", "comparison", "a pipeline's name", *STUDIES]
        ),
    )
    parser.add_argument("--examples", type=int, default=200, help="held-out examples of each case")
    parser.add_argument("--tuning-examples", type=int, default=100, help="of each task and guidance scale")
    parser.add_argument("--model", default="postcard-fill", help="the pipeline of a study")
    parser.add_argument("--models", nargs="+", help="fill models to compare, the base first; all by default")
    parser.add_argument(
        "--judge",
        default="postcard-reward",
        help="the reward model to measure or to choose by, or its folder; for per-task, the folder of the runs that "
        "trained them, named unified, fill, text ...",
    )
    parser.add_argument("--task", choices=list(TASKS), help="measure a reward model on this task only")
    parser.add_argument(
        "--preferences",
        type=Path,
        default="runs/held-out-preferences",
        help="folder of items to measure a reward model on; what is missing there is made",
    )
    parser.add_argument("--device", help="cpu, cuda or mps; by default the best there is")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.what == "reader":
        figures = reader.measure(args.examples)
    elif args.what == "reward":
        figures = measure_reward(args)
    elif args.what == "per-task":
        figures = measure_per_task(args)
    elif args.what == "comparison":
        figures = comparison.measure(args.models or comparison.small_models(), args.examples, args.device)
    elif args.what == "best-of":
        figures = measure_best_of(args)
    elif args.what in STUDIES:
        figures = {
            "model": args.model,
            **STUDIES[args.what](quiet_pipeline(args.model, args.device), args.examples),
        }
    else:
        figures = model.measure(quiet_pipeline(args.what, args.device), args.examples, args.tuning_examples)
    names = {
        "reader": "postcard-reader",
        "reward": f"reward-{Path(args.judge).name.removesuffix('-reward')}",
        "per-task": "reward-per-task",
    }
    out = args.out or RESULTS / f"{names.get(args.what, args.what)}.json"
    command = " ".join(["python -m onereward_nb.postcards.measure", *sys.argv[1:]])
    write_json(out, {"command": command, **figures})
    print(f"written to {out}")


def measure_reward(args):
    """Figures of a reward model, on preferences that are made first where they are missing."""
    figures = reward.measure(load_reward_model(args.judge, args.device), held_out(args), task=args.task)
    return {"judge": args.judge, "candidates": args.model, **figures}


def measure_per_task(args):
    """Accuracy of a unified judge and of one for each task, and how long each was trained."""
    runs = {name: Path(args.judge) / name for name in ("unified", *TASKS)}
    judges = {name: load_reward_model(run / "postcard-reward", args.device) for name, run in runs.items()}
    training = {name: json.loads((run / "log.json").read_text())[-1] for name, run in runs.items()}
    figures = reward.measure_per_task(judges, held_out(args))
    return {"judges": args.judge, "candidates": args.model, "training": training, **figures}


def held_out(args):
    """Files of held-out items; what is missing is made."""
    tasks = [args.task] if args.task else list(TASKS)
    wanted = [part for part in parts(args.examples * len(TASKS), HELD_OUT) if part[0] in tasks]
    return complete(quiet_pipeline(args.model, args.device), args.preferences, wanted)


def measure_best_of(args):
    """Success over N where a reward model chooses among the edits of a pipeline."""
    judge = load_reward_model(args.judge, args.device)
    figures = best_of.measure(quiet_pipeline(args.model, args.device), judge, args.examples)
    return {"model": args.model, "judge": args.judge, **figures}


def quiet_pipeline(name, device):
    pipe = load_pipeline(name, device=device)
    pipe.set_progress_bar_config(disable=True)
    return pipe


if __name__ == "__main__":
    main()
