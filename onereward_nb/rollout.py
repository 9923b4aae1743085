"""The policy's rollout: the pipeline's denoising loop for training, and one step of it with gradient.

The computation is that of `FluxFillCFGPipeline`, in the same parts. What differs: edits are prepared once and used
many times, and the loop stops at a step of one's choice, to predict the clean picture from there.
"""

from typing import NamedTuple

import torch

from . import guidance, preparation
from .images import picture_and_mask
from .preparation import TOKEN_PIXELS, Prompt, Text
from .tasks import TASKS


class Conditions(NamedTuple):
    """Edits of one task, ready to be denoised: the c of the paper, n of them.

    Several make a data set D_k as well as a batch of it.
    """

    task: str
    prompts: list  # n strings
    pictures: torch.Tensor  # uint8 (n, 3, height, width): the pictures to edit
    masks: torch.Tensor  # bool (n, 1, height, width): where they may change
    context: torch.Tensor  # (n, tokens, 320): what is known of them, as the transformer takes it
    positions: torch.Tensor  # (tokens, 3)
    positive: Text  # n rows
    negative: Text  # the negative prompt that all share, 1 row

    def pick(self, rows):
        """Some of the edits: rows is a list of whole numbers, which may repeat."""
        chosen = torch.tensor(rows).to(self.context.device, non_blocking=True)
        return self._replace(
            prompts=[self.prompts[row] for row in rows],
            pictures=self.pictures[chosen],
            masks=self.masks[chosen],
            context=self.context[chosen],
            positive=Text(*(side[chosen] for side in self.positive)),
        )

    @property
    def size(self):
        """Height and width in pixels, rounded up to whole tokens: what the model works at."""
        return tuple(-(-side // TOKEN_PIXELS) * TOKEN_PIXELS for side in self.pictures.shape[2:])


@torch.no_grad()
def prepare(pipe, task, prompts, images, masks, negative_prompt="", generator=None):
    """Conditions of a task: prompts encoded, masked pictures encoded, all on the pipeline's device.

    prompts, images, masks: n of each; pictures and masks as `FluxFillCFGPipeline` takes them, all of one size.
    generator: for the sample that the VAE draws of the masked pictures.

    ValueError for an unknown task, or numbers that differ.
    """
    task = TASKS[task].name
    count = len(prompts)
    if not count == len(images) == len(masks):
        raise ValueError(f"{count} prompts, {len(images)} images, {len(masks)} masks: give as many of each.")
    device = pipe._execution_device
    pictures, masks = picture_and_mask(images, masks)
    pixels, mask = preparation.whole_tokens(pictures, masks, count)
    positive, negative = preparation.encode_texts(
        pipe, Prompt(prompts), Prompt(negative_prompt), count, None, device
    )
    dtype = positive.embeds.dtype
    tokens = (side // TOKEN_PIXELS for side in pixels.shape[2:])
    return Conditions(
        task,
        list(prompts),
        torch.from_numpy(pictures).mul(255).round().byte().permute(0, 3, 1, 2).contiguous().to(device),
        torch.from_numpy(masks)[:, None].to(device) > 0,
        preparation.masked_picture(pipe, pixels, mask, count, dtype, device, generator),
        pipe._prepare_latent_image_ids(1, *tokens, device, dtype),
        positive,
        Text(*(side[:1].clone() for side in negative)),
    )


def joined(parts):
    """Conditions of one task, prepared in parts, as one."""
    first, *_ = parts

    def all_of(get):
        return torch.cat([get(part) for part in parts])

    return first._replace(
        prompts=[prompt for part in parts for prompt in part.prompts],
        pictures=all_of(lambda part: part.pictures),
        masks=all_of(lambda part: part.masks),
        context=all_of(lambda part: part.context),
        positive=Text(all_of(lambda part: part.positive.embeds), all_of(lambda part: part.positive.pooled)),
    )


class Rollout:
    """The denoising loop of a pipeline, whose transformer is the policy.

    steps: of the whole loop. true_cfg_scale: of its guidance; up to 1 there is none. both_branches: whether the step
    with gradient passes it through both predictions, so that what is said to the negative prompt learns too, or
    through the prompt's alone.
    """

    def __init__(self, pipe, steps=10, true_cfg_scale=4.0, both_branches=True):
        self.pipe, self.steps = pipe, steps
        self.rule = self.rule_with_gradient = guidance.unguided
        if true_cfg_scale > 1:
            self.rule = guidance.true_cfg(true_cfg_scale)
            self.rule_with_gradient = self.rule if both_branches else guidance.one_sided(true_cfg_scale)

    def noise(self, conditions):
        """Packed noise (n, tokens, 64) to start from."""
        shape = (*conditions.context.shape[:2], 4 * self.pipe.latent_channels)
        return torch.randn(shape, device=conditions.context.device, dtype=conditions.context.dtype)

    @torch.no_grad()
    def denoise(self, noise, conditions, until=None):
        """The latents that step `until` starts from, its number counted from 0; None goes on to the clean ones."""
        latents, timesteps = noise, self._schedule(conditions)
        for step, timestep in enumerate(timesteps[:until]):
            v = self._velocity(latents, conditions, timesteps, step, self.rule)
            latents = self.pipe.scheduler.step(v, timestep, latents, return_dict=False)[0]
        return latents

    def predict_clean(self, latents, conditions, step):
        """The clean latents as one prediction at this step says, x0 = x_t - sigma v. With gradient."""
        timesteps = self._schedule(conditions)
        v = self._velocity(latents, conditions, timesteps, step, self.rule_with_gradient)
        return latents - self.pipe.scheduler.sigmas[step] * v

    def pictures(self, latents, conditions):
        """What the user would see: decoded, (n, 3, height, width) from 0 to 1, the input outside the mask.

        Gradients pass where the mask is.
        """
        height, width = conditions.pictures.shape[2:]
        latents = latents.to(self.pipe.vae.dtype)
        painted = self.pipe.decode(latents, *conditions.size)[..., :height, :width]
        return torch.where(conditions.masks, painted.float(), conditions.pictures.float() / 255)

    def _schedule(self, conditions):
        # on the CPU, so that reading a number from it never waits for the GPU
        return preparation.schedule(self.pipe, self.steps, None, 1.0, (1, 3, *conditions.size), "cpu")

    def _velocity(self, latents, conditions, timesteps, step, rule):
        time = (timesteps[step].to(latents.dtype) / 1000).item()
        time = torch.full((), time, device=latents.device, dtype=latents.dtype)
        negative = Text(*(side.expand(len(latents), *side.shape[1:]) for side in conditions.negative))

        def velocity(text, branch):
            return self.pipe.velocity(
                latents,
                conditions.context,
                conditions.positions,
                time,
                text,
                self.pipe.settings.get("guidance_scale", 1.0),
                branch=branch,
            ).to(latents.dtype)  # autocast would go on in 16 bits

        return rule(velocity, conditions.positive, negative, step, timesteps)
