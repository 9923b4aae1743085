"""A training run that is counted in iterations and judged by the oracle, as reinforcement learning needs it."""

import math

import torch
from accelerate.utils import broadcast

from ...rl import draw_conditions
from ...tasks import TASKS
from .run import Run

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

        measure: makes the figures of the average, {task: as `evaluation.summarise` returns}. keep: writes the average
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
    """One number for all: the mean over the tasks of what the oracle says, success and each dimension alike, 0 to 1."""
    means = []
    for task, of_task in figures.items():
        said = [of_task["success"]["rate"], *(of_task[name]["mean"] for name in TASKS[task].dimensions)]
        means.append(sum(said) / len(said))
    return sum(means) / len(means)


def listed(values):
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
