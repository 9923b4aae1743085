"""OneReward's reinforcement learning: one reward model teaches all tasks (Gong et al., arXiv 2508.21066).

Algorithm 1 and Algorithm 2 of the paper. The rewarded picture comes from one step with gradient, as in ReFL
(Xu et al., arXiv 2304.05977), and there is no KL term: what slows the policy down on its way to pleasing the reward
model by nonsense is the bound on the reward, the single step, and the average of the weights.

All of a run, with lists of one length for prompts, pictures and masks:

    from onereward_nb import rollout

    edits = {"removal": rollout.prepare(pipe, "removal", prompts, images, masks)}
    algorithm = Algorithm1(pipe, reward_model)
    optimizer = algorithm.make_optimizer()
    for _ in range(iterations):
        loss, rewards = algorithm(draw_conditions(edits, batch=12))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        algorithm.follow()
"""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import relu

from . import checks
from .rollout import Conditions, Rollout

# The paper draws a task with 50% fill, text among it, 25% extend, 25% removal. How the pairs share is ours.
TASK_SHARES = {"fill": 0.25, "text": 0.25, "extend": 0.125, "extend-no-prompt": 0.125, "removal": 0.25}


@dataclass(frozen=True)
class Settings:
    """What steers the learning. The paper gives the learning rate of a far larger model, 1e-5; the rest is ours.

    bound: the paper's lambda. Where the reward reaches it, nothing more is learned.
    t_range: the paper's [t1, t2], as shares of the schedule: the step with gradient lies between them.
    tau: the share of itself that the average of the weights keeps in each iteration.
    steps: of a whole denoising.
    true_cfg_scale: of the guidance in both rollouts.
    both_branches: whether the gradient passes through both predictions of the guidance, or the prompt's alone.
    learning_rate: AdamW's.
    """

    bound: float = 0.95
    t_range: tuple[float, float] = (0.6, 1.0)
    tau: float = 0.95
    steps: int = 10
    true_cfg_scale: float = 4.0
    both_branches: bool = True
    learning_rate: float = 1e-4

    def __post_init__(self):
        checks.number("bound", self.bound, above=0, at_most=1)
        checks.number("tau", self.tau, at_least=0, at_most=1)
        checks.whole("steps", self.steps, at_least=1)
        checks.number("true_cfg_scale", self.true_cfg_scale, at_least=1)
        checks.number("learning_rate", self.learning_rate, above=0)
        t1, t2 = self.t_range
        if not 0 <= t1 < t2 <= 1 or not self.gradient_steps:
            raise ValueError(
                f"t_range is {self.t_range}: give two shares from 0 to 1, the first lower, with one of the "
                f"{self.steps} steps between them, such as (0.6, 1.0)."
            )

    @property
    def gradient_steps(self):
        """The steps that the one with gradient is drawn from: a range."""
        t1, t2 = self.t_range
        return range(round(t1 * self.steps), round(t2 * self.steps))


def draw_conditions(edits, batch, shares=TASK_SHARES):
    """A task k, drawn with its probability p_k, and a batch of its conditions c.

    edits: {task: `Conditions`}, the data sets D_k; shares count relative to each other, so fewer tasks will do.

    ValueError for no task, a task without a share, or a batch of none.
    """
    checks.whole("batch", batch, at_least=1)
    tasks = list(edits)
    if not tasks:
        raise ValueError(
            "edits holds no task to draw: give {task: Conditions}, as rollout.prepare makes them."
        )
    for task in tasks:
        checks.one_of("each task of edits", task, shares)
    task = tasks[torch.multinomial(torch.tensor([shares[task] for task in tasks]), 1)]
    rows = torch.randint(len(edits[task].prompts), (batch,))
    return edits[task].pick(rows.tolist())


class Algorithm1(nn.Module):
    """The policy against the model that it was: checkpoint OneReward of the paper.

    One call is one iteration up to its loss, which the caller minimises (the printed listing says "ascent"; but J
    is a hinge, and lower where the reward is higher). After the optimiser's step, `follow()` moves the average.

    pipe: a FluxFillCFGPipeline. Its transformer becomes the policy; VAE and text encoders are frozen. To train a
        LoRA, add it to the transformer before.
    reward_model: rewards(images, references, task=, prompt=) gives P(Yes) in each dimension of the task,
        {dimension: (n,)}, that each image is the better one of its pair, with gradient to the images: tensors
        (n, 3, height, width) from 0 to 1.
    settings: a `Settings`.

    policy: the transformer. trained: its weights that learn. reference, ema: other values for them.

    ValueError where nothing is to be trained, or in so few bits that small steps would be lost.
    """

    def __init__(self, pipe, reward_model, settings=None):
        super().__init__()
        self.settings = settings or Settings()
        for network in (pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
            network.requires_grad_(False)
        self.rollout = Rollout(
            pipe, self.settings.steps, self.settings.true_cfg_scale, self.settings.both_branches
        )
        self.rewards = reward_model.rewards
        self.policy = pipe.transformer  # pi_theta
        check_trained(self.trained)
        self.reference = copies(self.trained)  # pi_ref <- pi_theta, for good
        self.ema = copies(self.trained)  # pi_ema <- pi_theta

    @property
    def trained(self):
        return [weight for weight in self.policy.parameters() if weight.requires_grad]

    def forward(self, c):
        """The loss J on conditions c, and the mean reward in each dimension, {dimension: tensor without gradient}."""
        if not isinstance(c, Conditions):
            raise TypeError(
                f"c must be Conditions as draw_conditions or rollout.prepare makes them, got {type(c).__name__}."
            )
        # two different noises, and the step that is to have the gradient
        e1, e2 = self.rollout.noise(c), self.rollout.noise(c)
        t = draw_one(self.settings.gradient_steps)

        # the reference denoises all the way
        with self.using(self.reference), torch.no_grad():
            x_ref = self.rollout.pictures(self.rollout.denoise(e1, c), c)

        # the policy denoises down to t without gradient, and from there predicts x0 in one step with it
        x_t = self.rollout.denoise(e2, c, until=t)
        x_theta = self.rollout.pictures(self.rollout.predict_clean(x_t, c, t), c)

        # how sure is the reward model, in each dimension, that the policy's picture is the better one?
        rewards = self.rewards(x_theta, x_ref, task=c.task, prompt=c.prompts)
        loss = torch.stack([relu(self.settings.bound - p).mean() for p in rewards.values()]).mean()
        return loss, {dimension: p.detach().mean() for dimension, p in rewards.items()}

    @torch.no_grad()
    def follow(self):
        """pi_ema <- tau pi_ema + (1 - tau) pi_theta."""
        torch._foreach_lerp_(list(self.ema), self.trained, 1 - self.settings.tau)

    @contextmanager
    def using(self, weights):
        """Within the block the transformer has other weights, the reference's or the average's.

        One network serves for all three, so that each costs no more than what is trained: little with a LoRA.
        """
        own = [weight.data for weight in self.trained]
        self._put(weights)
        try:
            yield
        finally:
            self._put(own)

    def _put(self, weights):
        for weight, value in zip(self.trained, weights, strict=True):
            weight.data = value.data
        torch.clear_autocast_cache()  # which knows a weight by its place, not by its value

    def make_optimizer(self):
        """AdamW over the weights that learn, without weight decay, at the settings' learning rate."""
        return torch.optim.AdamW(self.trained, self.settings.learning_rate, weight_decay=0.0)


class Algorithm2(Algorithm1):
    """The policy against its own average: checkpoint OneRewardDynamic of the paper.

    As Algorithm 1, but the reference is the average of the policy's weights, and grows with it: one model less in
    memory, and pairs that don't become easy.
    """

    def __init__(self, pipe, reward_model, settings=None):
        super().__init__(pipe, reward_model, settings)
        self.reference = self.ema  # pi_ref <- tau pi_ref + (1 - tau) pi_theta


def copies(weights):
    """Weights as they are now, which no optimiser touches."""
    return nn.ParameterList(nn.Parameter(weight.detach().clone(), requires_grad=False) for weight in weights)


def draw_one(numbers):
    return numbers[torch.randint(len(numbers), ()).item()]


def check_trained(weights):
    if not weights:
        raise ValueError(
            "No weight of the transformer is to be trained: call requires_grad_(True) or add a LoRA."
        )
    coarse = {weight.dtype for weight in weights} - {torch.float32, torch.float64}
    if coarse:
        raise ValueError(
            f"Weights to be trained are {coarse.pop()}, where small steps get lost: load the pipeline in "
            "torch.float32, or bring a LoRA to it with diffusers.training_utils.cast_training_params."
        )
