"""Reward models whose optimum is known, and a toy to train by them: a tiny random pipeline and some edits."""

import torch
from tiny import quiet, random_mask, random_picture

from onereward_nb import FluxFillCFGPipeline
from onereward_nb.rollout import prepare
from onereward_nb.stand_in import components
from onereward_nb.tasks import TASKS


class Darker:
    """P(Yes) that the first picture is the darker one, by their difference in grey levels.

    It is surer in each further dimension of a task.
    """

    def __init__(self, sharpness=50.0, sign=1.0):
        self.sharpness, self.sign, self.seen = sharpness, sign, []

    def rewards(self, images, references, *, task, prompt=None):
        self.seen.append((images.detach(), references, task, prompt))
        difference = (references - images).mean(dim=(1, 2, 3))
        surer = self.sign * self.sharpness * difference
        return {name: torch.sigmoid((1 + i) * surer) for i, name in enumerate(TASKS[task].dimensions)}


class Fixed:
    """A given P(Yes) for each pair, of slope 1 in the mean of its first picture."""

    def __init__(self, *probabilities):
        self.probabilities = torch.tensor(probabilities)

    def rewards(self, images, references, *, task, prompt=None):
        slope = images.mean(dim=(1, 2, 3))
        p = self.probabilities + slope - slope.detach()
        return {dimension: p for dimension in TASKS[task].dimensions}


def tiny_pipe(seed=0):
    """With a transformer that has more than noise to say: its random output is small."""
    pipe = quiet(FluxFillCFGPipeline(**components(seed=seed)))
    pipe.transformer.proj_out.weight.data *= 5
    return pipe


def tiny_edits(pipe, task="removal", count=3, width=48, height=32, seed=0):
    generator = torch.Generator("cpu").manual_seed(seed)
    return prepare(pipe, task, *tiny_inputs(count, width, height, seed), "", generator)


def tiny_inputs(count=3, width=48, height=32, seed=0):
    """Prompts, pictures and masks, all different."""
    numbers = range(seed, seed + count)
    return (
        [f"thing {number}" for number in numbers],
        [random_picture(width, height, number) for number in numbers],
        [random_mask(width, height, number) for number in numbers],
    )


@torch.no_grad()
def darkness(rollout, conditions):
    """The true objective: how dark the pictures of whole denoisings are, from fixed noise. 0 to 1."""
    state = torch.get_rng_state()
    torch.manual_seed(12345)
    noise = rollout.noise(conditions)
    torch.set_rng_state(state)
    return 1 - rollout.pictures(rollout.denoise(noise, conditions), conditions).mean().item()
