"""Train the fill model by OneReward's Algorithm 1 or 2:
python -m onereward_nb.postcards.train onereward --algorithm 1 --reward assets/models/postcard-reward \
    --start-from assets/models/postcard-fill --iterations 400 --out runs/onereward

Measures by the oracle as it goes, on tuning seeds. What it keeps in the end is the average of the weights that
scored best there.
"""

import math
import sys
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from accelerate.utils import broadcast

from ...evaluation import TUNING, evaluate
from ...files import write_json
from ...lora import add_lora, save_lora
from ...models import MODELS, models_folder
from ...pipeline import FluxFillCFGPipeline
from ...rl import TASK_SHARES, Algorithm1, Algorithm2, Settings, draw_conditions
from ...rollout import joined, prepare
from ...tasks import TASKS
from ..showcase import showcase
from .data import draw_in_parallel, task_edit
from .run import Run, arguments

ALGORITHMS = {1: Algorithm1, 2: Algorithm2}
NAMES = {1: "postcard-fill-onereward", 2: "postcard-fill-onereward-dynamic"}
COLLAPSED = 0.75  # of the true score at the start: below, training has done harm and stops


class Collapse(RuntimeError):
    """The policy has become far worse than it was, whatever the reward says."""


class RewardedRun(Run):
    """A run that is counted in iterations and judged by the oracle.

    A stretch ends after --minutes, the run after --iterations. No rate depends on the clock, so that a run in several
    stretches equals one in a single stretch, bit for bit on a CPU. The average is the algorithm's own. A checkpoint is
    written after each measurement that shows no harm, and at no other time.
    """

    def __init__(self, args):
        super().__init__(args, warmup=10, checkpoint_every=math.inf)
        self.rewards = []

    def prepare(self, algorithm, measure, keep, sample=None):
        """Hand the algorithm to Accelerate; resume where there is a checkpoint.

        measure: makes the figures of the average, {task: as `evaluation.evaluate` returns}. keep: writes the average
            to where it ships from. sample: as for any Run.
        """
        self.measure, self.keep = measure, keep
        super().prepare(algorithm, algorithm.make_optimizer(), sample)
        self.share = self.step / self.args.iterations

    def learn(self, edits):
        """Take iterations until the stretch or the run is over. edits: {task: Conditions}."""
        if not self.scores:
            self.judge()
        while self.share < 1:
            conditions = draw_conditions(edits, self.args.batch)
            with self.accelerator.autocast():
                loss, rewards = self.model(conditions)
            self.rewards.append((conditions.task, rewards))
            self.optimize(loss)
            if self.step % self.args.measure_every == 0 or self.share >= 1:
                self.judge()

    def learning_rate(self):
        return self.args.lr * min(1, (self.step + 1) / self.warmup)

    def start_average(self):
        return list(self.bare_model.ema)

    def move_average(self):
        self.bare_model.follow()

    def more_state(self):
        algorithm = self.bare_model
        moves = algorithm.reference is algorithm.ema  # then it is the average, which is saved
        return {} if moves else {f"reference.{i}": value for i, value in enumerate(algorithm.reference)}

    def part_over(self):
        return max(super().part_over(), self.step / self.args.iterations)

    @property
    def scores(self):
        """The true scores so far, in order."""
        return [entry["true score"] for entry in self.log if "true score" in entry]

    def report(self):
        """The loss and the reward of each task in the iterations since the last report."""
        if not self.losses:
            return
        super().report()
        values = {task: [] for task, _ in self.rewards}
        for task, rewards in self.rewards:
            values[task].append(torch.stack(list(rewards.values())).mean())
        self.rewards.clear()
        means = {task: round(torch.stack(of_task).mean().item(), 4) for task, of_task in values.items()}
        self.log[-1]["reward"] = means
        self.say(f"rewards: {listed(means)}")

    def judge(self):
        """Measure the average; stop where it collapsed, otherwise write the checkpoint, and keep the best."""
        self.report()
        self.check_weights()
        score = torch.zeros((), device=self.device)
        entry = {"minutes": round(self.trained_before + self.elapsed / 60, 2), "step": self.step}
        if self.accelerator.is_main_process:
            figures = self.measure()
            score += true_score(figures)
            entry["success"] = {task: figures[task]["success"]["rate"] for task in figures}
            entry["figures"] = figures
            self.say(f"true score {score:.4f}, successes: {listed(entry['success'])}")
        if self.accelerator.num_processes > 1:
            broadcast(score)
        score = entry["true score"] = score.item()
        earlier = self.scores
        if earlier and score < COLLAPSED * earlier[0]:
            self.stop(f"the true score fell from {earlier[0]:.3f} to {score:.3f}", Collapse)
        self.log.append(entry)
        if self.accelerator.is_main_process and self.step and score >= max(earlier[1:], default=0):
            self.keep()
        self.save()

    def say(self, words):
        if self.accelerator.is_main_process:
            print(f"{'':12}step {self.step:6d}  {words}", flush=True)


def true_score(figures):
    """One number for all: the mean over the tasks of what the oracle gives their dimensions, 0 to 1."""
    means = [
        sum(of_task[name]["mean"] for name in TASKS[task].dimensions) / len(TASKS[task].dimensions)
        for task, of_task in figures.items()
    ]
    return sum(means) / len(means)


def listed(values):
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


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
    """The pipeline to start from, in float32, which small steps need."""
    pipe = FluxFillCFGPipeline.from_pretrained(folder).to(device)
    model = MODELS["postcard-fill"]
    pipe.settings, pipe.default_size = dict(model.settings), model.default_size
    pipe.set_progress_bar_config(disable=True)
    return pipe


def save_transformer(pipe, folder):
    """The transformer in bf16, file by file whole at any time."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        deepcopy(pipe.transformer).to(torch.bfloat16).save_pretrained(temporary)
        for file in Path(temporary).iterdir():
            file.replace(folder / file.name)


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
    count = args.tuning_examples

    def by_average(make):
        with algorithm.using(algorithm.ema):
            return make()

    def measure():
        return {task: evaluate(pipe, task, count, TUNING, batch=count) for task in args.tasks}

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
    parser = arguments(__doc__, scenes=2000, batch=64, lr=ours.learning_rate)
    parser.add_argument("--algorithm", type=int, choices=ALGORITHMS, default=1)
    parser.add_argument("--reward", required=True, help="name or folder of the reward model")
    parser.add_argument("--start-from", type=Path, help="folder of the pipeline to train")
    parser.add_argument("--tasks", nargs="+", choices=TASK_SHARES, default=list(TASK_SHARES))
    parser.add_argument("--iterations", type=int, default=400, help="of the whole run, in all its stretches")
    parser.add_argument("--lora", type=int, default=0, metavar="RANK", help="train a LoRA; 0: all weights")
    parser.add_argument("--first-seed", type=int, default=500_000, help="seed of the first training scene")
    parser.add_argument("--measure-every", type=int, default=50, help="iterations between measurements")
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
