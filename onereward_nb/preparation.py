"""What the denoising loop starts from: encoded texts, the schedule, noise, and what is known of the picture.

The steps are those of diffusers' `FluxFillPipeline` and use its methods, so that a seed gives the same
picture in both. They differ in how a batch is laid out: one picture or prompt serves for all, and the
pictures made of one prompt lie side by side.
"""

from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from diffusers.pipelines.flux.pipeline_flux_fill import calculate_shift
from diffusers.utils.torch_utils import randn_tensor

from . import checks

TOKEN_PIXELS = 16
LONGEST_PROMPT = 512  # tokens, FLUX.1's limit


class Text(NamedTuple):
    """A batch of prompts as the transformer reads them."""

    embeds: torch.Tensor  # (batch, tokens, channels), from T5
    pooled: torch.Tensor  # (batch, channels), from CLIP


class Prompt(NamedTuple):
    """One side of the guidance as it was given: text, or embeddings made before."""

    text: str | list[str] | None
    text_2: str | list[str] | None = None
    embeds: torch.Tensor | None = None
    pooled: torch.Tensor | None = None

    @property
    def given(self):
        return self.text if self.embeds is None else self.embeds

    def texts(self):
        """Lists of equal length for the two encoders."""
        text, text_2 = ([given] if isinstance(given, str) else given for given in (self.text, self.text_2))
        return text, text_2 or text


def rows(tensor, count):
    """The rows of a batch, each repeated in place, to `count` rows: [a, b] -> [a, a, b, b].

    Nothing to repeat returns the tensor as it is: a copy with another memory layout would change last digits.
    """
    return tensor if len(tensor) == count else tensor.repeat_interleave(count // len(tensor), dim=0)


def encode_texts(pipe, positive, negative, total, max_sequence_length, device):
    """Both sides of the guidance, each a `Text` of `total` rows.

    positive, negative: `Prompt`s; negative may be None and stays so.
    """
    if max_sequence_length is None:
        max_sequence_length = min(
            LONGEST_PROMPT, getattr(pipe.tokenizer_2, "model_max_length", LONGEST_PROMPT)
        )
    checks.whole("max_sequence_length", max_sequence_length, at_least=1, at_most=LONGEST_PROMPT)

    def encode(prompt, prompt_2, embeds=None, pooled=None):
        return pipe.encode_prompt(
            prompt,
            prompt_2,
            device=device,
            prompt_embeds=embeds,
            pooled_prompt_embeds=pooled,
            max_sequence_length=max_sequence_length,
            lora_scale=(pipe.joint_attention_kwargs or {}).get("scale"),
        )[:2]

    sides = [positive] if negative is None else [positive, negative]
    if any(side.embeds is not None for side in sides):
        encoded = [encode(*side) for side in sides]
    else:  # one run of the encoders for both sides
        first, second = zip(*(side.texts() for side in sides), strict=True)
        embeds, pooled = encode([*chain(*first)], [*chain(*second)])
        counts = [len(texts) for texts in first]
        encoded = zip(embeds.split(counts), pooled.split(counts), strict=True)
    texts = [Text(rows(embeds, total), rows(pooled, total)) for embeds, pooled in encoded]
    if negative is None:
        return texts[0], None
    checks.same_tokens(texts[0].embeds, texts[1].embeds)
    return texts


def whole_tokens(pictures, masks, copies):
    """Pictures (n, 3, height, width) and masks (n, 1, height, width) as tensors, padded to whole tokens.

    pictures (n, height, width, 3), masks (n, height, width): float32 arrays. The padding repeats the last row
    and column of picture and mask alike, so that nothing hidden shows in it. copies: make n at least that
    many.
    """
    count = max(len(pictures), len(masks), copies)
    bottom, right = (-side % TOKEN_PIXELS for side in pictures.shape[1:3])
    margins = ((0, 0), (0, bottom), (0, right))
    pixels = torch.from_numpy(np.pad(pictures, (*margins, (0, 0)), mode="edge")).permute(0, 3, 1, 2)
    mask = torch.from_numpy(np.pad(masks, margins, mode="edge"))[:, None]
    return rows(pixels, count), rows(mask, count)


def schedule(pipe, num_inference_steps, sigmas, strength, shape, device):
    """The timesteps to run, 1000 sigma each. Larger pictures stay longer at high noise, by the shift mu."""
    if sigmas is None:
        sigmas = np.linspace(1.0, 1 / num_inference_steps, num_inference_steps)
    names = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    tokens = shape[2] * shape[3] // TOKEN_PIXELS**2
    mu = calculate_shift(tokens, *(pipe.scheduler.config[name] for name in names))
    pipe.scheduler.set_timesteps(sigmas=sigmas, mu=mu, device=device)
    timesteps, _ = pipe.get_timesteps(len(sigmas), strength, device)
    return timesteps


def starting_latents(pipe, pixels, timesteps, total, dtype, device, generator, latents=None):
    """Packed latents (total, tokens, 64) to start from, and the tokens' positions (tokens, 3).

    Noise, or below strength 1 a mixture of noise and picture; or the given latents.
    """
    picture = None
    if latents is None:
        pixels = pipe.image_processor.normalize(pixels).to(device, dtype)
        picture = rows(_picture_latents(pipe, pixels, timesteps[0], generator), total)
    return pipe.prepare_latents(
        picture,
        timesteps[:1].repeat(total),
        total,
        pipe.latent_channels,
        *pixels.shape[2:],
        dtype,
        device,
        generator,
        latents,
    )


def _picture_latents(pipe, pixels, first_timestep, generator):
    if first_timestep < pipe.scheduler.config.num_train_timesteps:
        return pipe._encode_vae_image(pixels, generator)
    # At sigma 1 nothing of the picture is left: don't encode it. diffusers does, and the sample that it takes
    # from the VAE's distribution moves the generator on. Draw as many numbers, so that seeds mean the same in
    # both.
    shape = (len(pixels), pipe.latent_channels, *(side // pipe.vae_scale_factor for side in pixels.shape[2:]))
    return torch.zeros_like(randn_tensor(shape, generator, pixels.device, pixels.dtype))


def masked_picture(pipe, pixels, mask, total, dtype, device, generator):
    """What is known of the picture, packed (total, tokens, 320).

    Of each token 64 numbers are the latents of the picture with its masked part grey, 256 the mask's pixels.
    """
    visible = pipe.image_processor.normalize(pixels) * (1 - mask)
    mask, latents = pipe.prepare_mask_latents(
        mask,
        visible.to(device, dtype),
        len(pixels),
        pipe.latent_channels,
        1,
        *pixels.shape[2:],
        dtype,
        device,
        generator,
    )
    return rows(torch.cat((latents, mask), dim=2), total)
