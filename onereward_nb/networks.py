"""The networks of FLUX.1-Fill as functions: text encoders, transformer, and the VAE's decoder.

The denoising loop is made of them, and so is reinforcement learning, which takes gradients through two of them.
"""

import torch
from diffusers import FluxFillPipeline

from . import checks, preparation
from .preparation import Prompt


class FluxFillNetworks(FluxFillPipeline):
    """diffusers' pipeline, with one function for each thing that its networks do: `encode`, `velocity`, `decode`."""

    _joint_attention_kwargs = None  # until a call sets it: prompts can be encoded before the first one

    @torch.no_grad()
    def encode(
        self, prompt, prompt_2=None, negative_prompt=None, negative_prompt_2=None, max_sequence_length=None
    ):
        """Prompts as embeddings, to be kept and used for many edits: pipe(**pipe.encode("remove"), image=...).

        The pictures are bit by bit those of the prompts themselves, and the text encoders are not run again.
        Arguments as for a call. Returns a dictionary with the arguments prompt_embeds, pooled_prompt_embeds, and
        with a negative prompt the two that begin with negative_.
        """
        sides = {"": Prompt(prompt, prompt_2)}
        if negative_prompt is not None:
            sides["negative_"] = Prompt(negative_prompt, negative_prompt_2)
        kept = {}
        for name, side in sides.items():
            checks.prompt(side, name)
            text, _ = preparation.encode_texts(
                self,
                side,
                None,
                checks.batch_size(prompts=side.given),
                max_sequence_length,
                self._execution_device,
            )
            kept |= {f"{name}prompt_embeds": text.embeds, f"{name}pooled_prompt_embeds": text.pooled}
        return kept

    def velocity(self, latents, context, positions, time, text, guidance_scale=1.0, branch="pred_cond"):
        """The velocity (branches * batch, tokens, 64) that the transformer predicts, noise minus clean latents.

        latents (batch, tokens, 64), context (batch, tokens, 320), positions (tokens, 3): as for the loop.
        time: sigma as the schedule has it, 0 to 1, a tensor of no dimensions.
        text: a `Text` of `batch` rows, or of several branches' one after the other.
        guidance_scale: for models that take it as an input; others ignore it.
        branch: a name that keeps the branches apart in diffusers' caches.
        Gradients pass through, as for `decode`.
        """
        tokens = torch.cat((latents, context), dim=2)
        tokens = tokens.repeat(len(text.embeds) // len(tokens), 1, 1)  # once for each branch in the batch
        guidance_input = None
        if self.transformer.config.guidance_embeds:
            guidance_input = torch.full(
                [len(tokens)], guidance_scale, device=tokens.device, dtype=torch.float32
            )
        with self.transformer.cache_context(branch):
            return self.transformer(
                hidden_states=tokens,
                timestep=time.expand(len(tokens)),
                guidance=guidance_input,
                pooled_projections=text.pooled,
                encoder_hidden_states=text.embeds,
                txt_ids=positions.new_zeros(text.embeds.shape[1], 3),
                img_ids=positions,
                joint_attention_kwargs=self.joint_attention_kwargs,
                return_dict=False,
            )[0]

    def decode(self, latents, height, width):
        """Packed latents (batch, tokens, 64) as pictures (batch, 3, height, width) from 0 to 1.

        height, width: in pixels, those of the picture rounded up to multiples of 16. Gradients pass through:
        call it under torch.no_grad() where none are wanted.
        """
        latents = self._unpack_latents(latents, height, width, self.vae_scale_factor)
        latents = latents / self.vae.config.scaling_factor + self.vae.config.shift_factor
        return self.image_processor.denormalize(self.vae.decode(latents, return_dict=False)[0])
