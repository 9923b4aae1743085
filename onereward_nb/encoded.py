"""Encoded prompts kept on disk, so that T5, of 9.5 GB, need not be loaded again for a prompt that it has read before."""

import gc
import hashlib
import json
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from huggingface_hub import constants
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from . import files
from .pipeline import FluxFillCFGPipeline
from .preparation import LONGEST_PROMPT, Prompt, Text


class EncodedPrompts:
    """A folder of prompts as the text encoders read them, one file for each.

    model, revision: whose encoders; encoders: in which number format they are, for that changes what they read.
    folder: where; by default in the cache of the hub's client, beside the weights.
    """

    def __init__(self, model, revision, encoders, folder=None):
        self._encoders = {"model": model, "revision": revision, "encoders": encoders}
        self._folder = Path(folder or constants.HF_HOME).expanduser() / "onereward_nb" / "prompts"

    def path(self, prompt, prompt_2, tokens):
        """The file of a prompt that CLIP reads, one that T5 reads, and the number of T5's tokens."""
        key = {**self._encoders, "prompt": prompt, "prompt_2": prompt_2, "tokens": tokens}
        return self._folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()}.safetensors"

    def read(self, path):
        """The `Text` of one row in a file, on the CPU; None if there is no file, or a broken one."""
        try:
            tensors = load_file(path)
            return Text(tensors["embeds"], tensors["pooled"])
        except (FileNotFoundError, SafetensorError, KeyError):
            return None

    def write(self, path, text):
        """Keep a `Text` of one row; where that cannot be, say so and go on."""
        try:
            files.write(path, lambda temporary: save_file(text._asdict(), temporary))
        except OSError as error:
            warnings.warn(
                f"This prompt will be encoded again next time, for it was not kept: {error}", stacklevel=2
            )


class FluxFillCFGEncodedPipeline(FluxFillCFGPipeline):
    """A FluxFillCFGPipeline that looks prompts up before it encodes them, and can do without its encoders.

    Attributes: `encoded`, the EncodedPrompts; `compute_dtype`, the number format of the transformer's inputs;
    `load_encoders`, a function that returns both text encoders, ready to run. It is called where the pipeline holds
    none and a prompt was never encoded before; afterwards they leave memory again.
    """

    encoded = None
    compute_dtype = torch.bfloat16
    load_encoders = None

    def encode_prompt(
        self,
        prompt,
        prompt_2=None,
        device=None,
        prompt_embeds=None,
        pooled_prompt_embeds=None,
        max_sequence_length=LONGEST_PROMPT,
        lora_scale=None,
    ):
        """As diffusers' own, with embeddings in the number format that the transformer computes in.

        lora_scale is left alone: no LoRA of ours changes the text encoders.
        """
        device = device or self._execution_device
        if prompt_embeds is None:
            first, second = Prompt(prompt, prompt_2).texts()
            texts = self._texts([*zip(first, second, strict=True)], max_sequence_length, device)
            prompt_embeds, pooled_prompt_embeds = map(torch.cat, zip(*texts, strict=True))
        embeds, pooled = (
            each.to(device, self.compute_dtype) for each in (prompt_embeds, pooled_prompt_embeds)
        )
        return embeds, pooled, embeds.new_zeros(embeds.shape[1], 3)

    def _texts(self, pairs, tokens, device):
        """A `Text` of one row, on the CPU, for each pair of prompts."""
        paths = [self.encoded.path(*pair, tokens) for pair in pairs]
        texts = {path: self.encoded.read(path) for path in paths}
        unread = {path: pair for path, pair in zip(paths, pairs, strict=True) if texts[path] is None}
        with self._encoders(device) if unread else nullcontext(device) as device:
            for path, pair in unread.items():  # one by one: a prompt reads the same in any company
                embeds, pooled, _ = super().encode_prompt(*pair, device, max_sequence_length=tokens)
                texts[path] = Text(embeds.cpu(), pooled.cpu())
                self.encoded.write(path, texts[path])
        return [texts[path] for path in paths]

    @contextmanager
    def _encoders(self, device):
        """Makes sure of the text encoders, for a while; gives the device that they run on."""
        if self.text_encoder_2 is not None:
            yield device
            return
        self.text_encoder, self.text_encoder_2 = self.load_encoders()
        try:
            yield self.text_encoder_2.device
        finally:
            self.text_encoder = self.text_encoder_2 = None
            gc.collect()
            torch.cuda.empty_cache()
