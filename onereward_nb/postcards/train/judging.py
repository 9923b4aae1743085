"""What both lessons of the reward model share: two pictures and a text in, and its network on disk."""

import torch
from torch import nn
from transformers import Qwen2_5_VLForConditionalGeneration

from ...files import write_folder
from ...queries import padded, read, script
from ...vision import see
from ..architecture import make_image_processor, make_reward_model
from ..text import make_chat_tokenizer
from .run import OPENING


class Viewer(nn.Module):
    """The network, and what it makes of texts after two pictures."""

    def __init__(self, model):
        super().__init__()
        self.model, self.processor = model, make_image_processor()
        head, between, _ = script(make_chat_tokenizer(), "")
        self.register_buffer("head", head, persistent=False)
        self.register_buffer("between", between, persistent=False)

    def see(self, pictures):
        """Pictures (n, 3, 128, 128) from 0 to 1 as (tokens, grid)."""
        return see(self.model.model.visual, self.processor, pictures)

    def read(self, first, second, tails):
        """The hidden states (n, length, width) of tails (n, length) after two pictures as see() returns them."""
        return read(self.model, self.head, first, self.between, second, tails)


def network(folder=None):
    """A new network, or that of a folder."""
    if folder is None:
        return make_reward_model()
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, **OPENING)


def save_network(model, folder):
    """Network, tokenizer, chat template and image processor in Qwen2.5-VL's layout; bf16 safetensors."""
    parts = (model.to(torch.bfloat16), make_chat_tokenizer(), make_image_processor())

    def save(temporary):
        for part in parts:
            part.save_pretrained(temporary)

    write_folder(folder, save)


def tokenize(questions):
    """The tails of questions as uint8 (n, longest), and the place of each last token, int64 (n,)."""
    tokenizer = make_chat_tokenizer()
    assert len(tokenizer) <= 256
    tails, ends = padded([script(tokenizer, question).tail for question in questions])
    return tails.to(torch.uint8), ends


def as_pixels(pictures):
    """uint8 (n, height, width, 3) to float (n, 3, height, width) from 0 to 1."""
    return pictures.permute(0, 3, 1, 2).float() / 255
