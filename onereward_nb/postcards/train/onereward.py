"""Train the fill model by OneReward's Algorithm 1 or 2:
python -m onereward_nb.postcards.train onereward --algorithm 2 --reward assets/models/postcard-reward --out runs/onereward

The oracle measures as it goes, on tuning seeds. What is kept in the end is the average of the weights that scored
best there: only the transformer, or with --lora only the LoRA.
"""

import sys
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from ...evaluation import TUNING, edit_examples, summarise
from ...files import write_folder, write_json
from ...lora import add_lora, save_lora
from ...models import MODELS, models_folder
from ...pipeline import FluxFillCFGPipeline
from ...rl import TASK_SHARES, Algorithm1, Algorithm2, Settings
from ...rollout import joined, prepare
from ..examples import example
from ..oracle import score_all
from ..showcase import showcase
from .data import draw_in_parallel, task_edit
from .rewarded import RewardedRun
from .run import OPENING, arguments

ALGORITHMS = {1: Algorithm1, 2: Algorithm2}
NAMES = {1: "postcard-fill-onereward", 2: "postcard-fill-onereward-dynamic"}


def draw_edits(pipe, task, seeds):
    """The data set D_k of a task, drawn and encoded once: Conditions."""
    if max(seeds) >= TUNING:
        raise ValueError(
            f"seed {max(seeds)} is for tuning or evaluation: draw fewer scenes, or begin lower, "
            f"to stay below {TUNING}"
        )
    drawn = draw_in_parallel(partial(task_edit, task), seeds)
    generator = torch.Generator("cpu").manual_seed(seeds[0])
    parts = []
    while part := list(islice(drawn, 128)):
        pictures, masks, prompts = (list(column) for column in zip(*part, strict=True))
        parts.append(
            prepare(pipe, task, prompts, pictures, masks, pipe.settings["negative_prompt"], generator)
        )
    return joined(parts)


def load(folder, device):
    """The pipeline to start from."""
    pipe = FluxFillCFGPipeline.from_pretrained(folder, **OPENING).to(device)
    model = MODELS["postcard-fill"]
    pipe.settings, pipe.default_size = dict(model.settings), model.default_size
    pipe.set_progress_bar_config(disable=True)
    return pipe


def save_transformer(pipe, folder):
    """Write the transformer of a pipeline in bf16; the pipeline's own stays as it is."""
    write_folder(folder, deepcopy(pipe.transformer).to(torch.bfloat16).save_pretrained)


def train(args, reward_model):
    """Take the run on by a reward model, and write its figures. Returns the run."""
    run = RewardedRun(args)
    pipe = load(args.start_from, run.device)
    if args.lora:
        add_lora(pipe, args.lora)
    algorithm = ALGORITHMS[args.algorithm](pipe, reward_model, settings(args))
    first = (
        args.first_seed + run.accelerator.process_index * args.scenes
    )  # each process has scenes of its own
    edits = {task: draw_edits(pipe, task, range(first, first + args.scenes)) for task in args.tasks}
    folder = args.out / NAMES[args.algorithm]
    examples = {
        task: [example(task, seed) for seed in range(TUNING, TUNING + args.tuning_examples)]
        for task in args.tasks
    }

    def by_average(make):
        with algorithm.using(algorithm.ema):
            return make()

    def measure():
        return {
            task: summarise(score_all(some, edit_examples(pipe, some, batch=len(some))))
            for task, some in examples.items()
        }

    def keep():
        save_lora(pipe, folder) if args.lora else save_transformer(pipe, folder / "transformer")

    sample = partial(showcase, pipe, TUNING)
    run.prepare(algorithm, *(partial(by_average, make) for make in (measure, keep, sample)))
    run.learn(edits)
    if run.accelerator.is_main_process:
        figures = {
            "command": " ".join(["python -m onereward_nb.postcards.train", "onereward", *sys.argv[1:]]),
            "settings": asdict(algorithm.settings),
            "log": run.log,
        }
        write_json(args.out / "training.json", figures)
        print(f"the average that scored best is in {folder}")
    return run


def settings(args):
    return Settings(
        bound=args.bound,
        t_range=tuple(args.t_range),
        tau=args.tau,
        steps=args.steps,
        true_cfg_scale=args.true_cfg_scale,
        both_branches=not args.prompt_branch_only,
        learning_rate=args.lr,
    )


def options():
    """The command line of this script."""
    ours = Settings()
    parser = arguments(__doc__, scenes=1000, batch=64, lr=ours.learning_rate)
    parser.add_argument("--algorithm", type=int, choices=ALGORITHMS, default=1)
    parser.add_argument("--reward", required=True, help="name or folder of the reward model")
    parser.add_argument("--start-from", type=Path, help="folder of the pipeline to train")
    parser.add_argument("--tasks", nargs="+", choices=TASK_SHARES, default=list(TASK_SHARES))
    parser.add_argument("--iterations", type=int, default=400, help="of the whole run, in all its stretches")
    parser.add_argument("--lora", type=int, default=0, metavar="RANK", help="train a LoRA; 0: all weights")
    parser.add_argument("--first-seed", type=int, default=500_000, help="seed of the first training scene")
    parser.add_argument("--measure-every", type=int, default=100, help="iterations between measurements")
    parser.add_argument("--tuning-examples", type=int, default=24, help="of each task, in a measurement")
    parser.add_argument("--bound", type=float, default=ours.bound, help="of the reward: lambda")
    parser.add_argument("--t-range", type=float, nargs=2, default=ours.t_range, help="shares of the schedule")
    parser.add_argument("--tau", type=float, default=ours.tau, help="rate of the average")
    parser.add_argument("--steps", type=int, default=ours.steps, help="of a denoising")
    parser.add_argument("--true-cfg-scale", type=float, default=ours.true_cfg_scale, help="in the denoising")
    parser.add_argument(
        "--prompt-branch-only", action="store_true", help="no gradient by the negative prompt"
    )
    parser.set_defaults(start_from=models_folder() / "postcard-fill")
    return parser


def main():
    from ...reward import load_reward_model

    args = options().parse_args()
    train(args, load_reward_model(args.reward, device=args.device))
