"""FluxFillCFGPipeline: FLUX.1-Fill with true classifier-free guidance, from the picture to the edited one.

One edit, read from top to bottom, is `FluxFillCFGPipeline.__call__`; its heart, the loop, is `_denoise`.

Words used here: *latents* are the picture as the VAE encodes it, 8 times smaller, 16 channels. *Packed*
latents are tokens: each 2x2 square of latents is one token of 64 numbers, so 16x16 pixels are one token.
*sigma* is the share of noise in them, from 1 to 0. The *velocity* v is what the transformer predicts: noise
minus clean latents.
"""

from types import MappingProxyType

import torch
from diffusers.hooks import HookRegistry
from diffusers.pipelines.flux.pipeline_output import FluxPipelineOutput

from . import checks, guidance, preparation
from .images import picture_and_mask
from .networks import FluxFillNetworks
from .pasting import paste_back
from .preparation import Prompt


class FluxFillCFGPipeline(FluxFillNetworks):
    """FLUX.1-Fill with a negative prompt and true classifier-free guidance, as OneReward needs it.

    Beyond diffusers' `FluxFillPipeline`: the output has the size of the input, pixels outside the mask are
    the input's, pictures of any mode and bad inputs are dealt with (see `onereward_nb.images`). With
    `true_cfg_scale=1` and `paste=None` the two agree bit for bit.

    Attributes: `settings`, the arguments that suit this model best; `quick`, those of them that change for a
    quick edit; and `default_size`, the side in pixels of the pictures that it was made for. `load_pipeline` sets
    them; here they are those of the OneReward weights.

    Source: Gong et al., OneReward, arXiv 2508.21066, and its repository; Ho and Salimans, arXiv 2207.12598.
    """

    _callback_tensor_inputs = ("latents", "prompt_embeds", "pred_original_latents")

    settings = MappingProxyType(
        {"true_cfg_scale": 4.0, "negative_prompt": "nsfw", "guidance_scale": 1.0, "num_inference_steps": 50}
    )
    quick = MappingProxyType({})
    default_size = 1024

    @torch.no_grad()
    def __call__(
        self,
        prompt=None,
        prompt_2=None,
        image=None,
        mask_image=None,
        *,
        height=None,
        width=None,
        negative_prompt=None,
        negative_prompt_2=None,
        true_cfg_scale=None,
        true_cfg=None,
        batched_cfg=True,
        guider=None,
        guidance_scale=None,
        strength=1.0,
        num_inference_steps=50,
        sigmas=None,
        num_images_per_prompt=1,
        generator=None,
        latents=None,
        prompt_embeds=None,
        pooled_prompt_embeds=None,
        negative_prompt_embeds=None,
        negative_pooled_prompt_embeds=None,
        paste="exact",
        output_type="pil",
        return_dict=True,
        joint_attention_kwargs=None,
        callback_on_step_end=None,
        callback_on_step_end_tensor_inputs=("latents",),
        max_sequence_length=None,
    ):
        """Paint the masked region of a picture as the prompt says.

        Steps and scales are by default diffusers' own, not those that suit the model: these are `pipe.settings`,
        which `run_task` takes, as does `pipe(..., **pipe.settings)`.

        Args:
            prompt, prompt_2: what to paint, a string or a list of them; prompt_2 goes to T5 in place of
                prompt.
            image, mask_image: the picture and its mask (white is painted), one or a list. A single picture,
                mask or prompt serves for all of the batch.
            height, width: pixels to work at, both or none; by default the picture's own size. Sizes that are
                no multiple of 16 are padded, and the output is cropped back.
            negative_prompt, negative_prompt_2: what to steer away from, one for all or one for each prompt.
                None is the empty prompt, the classic unconditional branch. Unused without true CFG.
            true_cfg_scale: s in v = v_neg + s (v_pos - v_neg). Above 1 true CFG is on, and each step costs
                two predictions. Default 1: off. `true_cfg` is OneReward's name for it.
            batched_cfg: both predictions in one batch; False makes one after the other, in half the memory.
            guider: a rule of `diffusers.guiders` in place of plain true CFG: with an interval, CFG-Zero*, APG
                and others. It has a scale of its own, and computes only the branches that a step needs, one
                after the other.
            guidance_scale: the number that FLUX.1 [dev] models take as an input; not true CFG. By default 30
                without true CFG (as FLUX.1-Fill wants it) and 1 with it (as OneReward does).
            strength: above 0, to 1: the share of the steps to run. Below 1 the picture itself shows through.
            num_inference_steps: steps from pure noise to the picture.
            sigmas: own noise levels in place of them, falling from at most 1 to above 0.
            num_images_per_prompt: pictures for each prompt, in the order [first prompt's, second prompt's,
                ...].
            generator: a torch.Generator, or a list with one for each picture to make: then each comes out as
                it would from a call of its own.
            latents: packed noise (batch, tokens, 64) to start from.
            prompt_embeds, pooled_prompt_embeds: a prompt encoded before; the same with negative_ in front.
            paste: "exact": pixels outside the mask are the input's, byte for byte. "feather": in a border
                around the mask the result fades into the input. None: the plain decoded picture.
            output_type: "pil", "np" (batch, height, width, 3) or "pt" (batch, 3, height, width) from 0 to 1,
                or "latent": packed.
            return_dict: False returns a plain tuple.
            joint_attention_kwargs: handed to the attention layers; {"scale": x} scales a LoRA.
            callback_on_step_end: called as callback(pipe, step, timestep, tensors) after each step; may
                return a dict with new "latents" or "prompt_embeds". Setting pipe._interrupt = True in it ends
                the loop.
            callback_on_step_end_tensor_inputs: the tensors it gets: "latents", "prompt_embeds", and
                "pred_original_latents", the clean latents as this step predicts them, which `decode` makes
                pictures of.
            max_sequence_length: T5 tokens of a prompt; by default as many as the model takes.

        Returns:
            FluxPipelineOutput, its `images` a list of PIL images or an array or tensor, of the input's size.

        Raises:
            ValueError or TypeError that says what to do, before anything is computed.
        """
        true_cfg_scale = checks.true_cfg_scale(true_cfg_scale, true_cfg)
        if guider is not None:
            guidance.check(guider, true_cfg_scale)
        with_cfg = guider is not None or true_cfg_scale > 1
        if guidance_scale is None:
            guidance_scale = 1.0 if with_cfg else 30.0
        if with_cfg and negative_prompt is None and negative_prompt_embeds is None:
            negative_prompt = ""
        positive = Prompt(prompt, prompt_2, prompt_embeds, pooled_prompt_embeds)
        negative = None
        checks.prompt(positive)
        if with_cfg:
            negative = Prompt(
                negative_prompt, negative_prompt_2, negative_prompt_embeds, negative_pooled_prompt_embeds
            )
            checks.prompt(negative, name="negative_")
        checks.number("guidance_scale", guidance_scale, at_least=0)
        checks.whole("num_images_per_prompt", num_images_per_prompt, at_least=1)
        checks.steps(num_inference_steps, sigmas, strength)
        checks.one_of("paste", paste, ("exact", "feather", None))
        checks.one_of("output_type", output_type, ("pil", "np", "pt", "latent"))
        for name in callback_on_step_end_tensor_inputs:
            checks.one_of("callback_on_step_end_tensor_inputs", name, self._callback_tensor_inputs)
        pictures, masks = picture_and_mask(image, mask_image, checks.size(width, height))
        height, width = pictures.shape[1:3]
        total = num_images_per_prompt * checks.batch_size(
            prompts=positive.given,
            negative_prompts=negative.given if negative else None,
            images=pictures,
            masks=masks,
        )
        checks.generators(generator, total)
        pixels, mask = preparation.whole_tokens(pictures, masks, total if isinstance(generator, list) else 1)
        checks.noise(latents, total, pixels.shape, 4 * self.latent_channels)

        self._guidance_scale = guidance_scale
        self._joint_attention_kwargs = joint_attention_kwargs
        self._interrupt = False
        # before 0.42 diffusers does not see a step cache that was enabled after an edit
        HookRegistry.check_if_exists_or_initialize(self.transformer)._child_registries_cache = None
        try:
            device = self._execution_device  # costs a search through all components
            positive, negative = preparation.encode_texts(
                self, positive, negative, total, max_sequence_length, device
            )
            placed = (total, positive.embeds.dtype, device, generator)
            timesteps = preparation.schedule(
                self, num_inference_steps, sigmas, strength, pixels.shape, device
            )
            latents, positions = preparation.starting_latents(self, pixels, timesteps, *placed, latents)
            context = preparation.masked_picture(self, pixels, mask, *placed)
            rule = guidance.unguided
            if guider is not None:
                rule = guidance.by(guider)
            elif with_cfg:
                rule = guidance.true_cfg(true_cfg_scale, batched_cfg)
            result = self._denoise(
                latents,
                context,
                positions,
                timesteps,
                positive,
                negative,
                rule,
                callback_on_step_end,
                callback_on_step_end_tensor_inputs,
            )
            if output_type != "latent":
                painted = self.decode(result, *pixels.shape[2:])[..., :height, :width]
                result = paste_back(painted, pictures, masks, paste)
                result = self.image_processor.postprocess(result, output_type, do_denormalize=[False] * total)
        finally:
            self.maybe_free_model_hooks()  # models go back and caches are emptied, after an error too
        return FluxPipelineOutput(images=result) if return_dict else (result,)

    def _denoise(
        self,
        latents,
        context,
        positions,
        timesteps,
        positive,
        negative,
        rule,
        callback,
        callback_tensors,
    ):
        """From noise to clean latents: predict the velocity, take a step along it, again and again.

        latents (batch, tokens, 64) and context (batch, tokens, 320), what is known of the picture, are
        packed. Both `Text`s have `batch` rows; negative is None without guidance, whose `rule` then needs
        none.
        """
        times = timesteps.to(latents.dtype) / 1000

        def velocity(text, branch):
            return self.velocity(
                latents, context, positions, times[step], text, self.guidance_scale, branch=branch
            )

        self._num_timesteps = len(timesteps)
        with self.progress_bar(total=len(timesteps)) as progress_bar:
            for step, timestep in enumerate(timesteps):
                if self.interrupt:
                    break
                v = rule(velocity, positive, negative, step, timesteps)
                before = latents
                latents = self.scheduler.step(v, timestep, before, return_dict=False)[0]

                if callback is not None:
                    sigma = self.scheduler.sigmas[self.scheduler.step_index - 1]
                    tensors = {
                        "latents": latents,
                        "prompt_embeds": positive.embeds,
                        "pred_original_latents": before - sigma * v,
                    }
                    wanted = {name: tensors[name] for name in callback_tensors}
                    changed = callback(self, step, timestep, wanted) or {}
                    latents = changed.get("latents", latents)
                    positive = positive._replace(embeds=changed.get("prompt_embeds", positive.embeds))
                progress_bar.update()
        return latents
