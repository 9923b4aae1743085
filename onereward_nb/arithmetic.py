"""How fast an edit can be at all: the operations of the transformer, and the rates of cards."""

import torch
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from .preparation import LONGEST_PROMPT, TOKEN_PIXELS

# dense bf16 TFLOP/s, from the makers' data sheets, by words in the names that CUDA gives
PEAKS = {"H100 80GB HBM3": 989, "H200": 989, "A100": 312, "L40S": 362, "RTX 4090": 165}


def tera_a_pass(make, size, words=LONGEST_PROMPT):
    """TFLOP of one prediction for one branch, of a picture `size` pixels wide and high and a prompt of `words` tokens.

    make: one of stand_in's functions that make a pipeline's parts. Nothing is computed, so it takes no memory.
    """
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        transformer, tokens = make()["transformer"], (size // TOKEN_PIXELS) ** 2
        transformer(
            hidden_states=torch.empty(1, tokens, transformer.config.in_channels),
            encoder_hidden_states=torch.empty(1, words, transformer.config.joint_attention_dim),
            pooled_projections=torch.empty(1, transformer.config.pooled_projection_dim),
            timestep=torch.empty(1),
            guidance=torch.empty(1),
            img_ids=torch.empty(tokens, 3),
            txt_ids=torch.empty(words, 3),
        )
    return counter.get_total_flops() / 1e12


def matrix_rate(side=8192):
    """TFLOP/s of a large matrix product in bf16 on this GPU, measured."""
    a, b = torch.randn(2, side, side, device="cuda", dtype=torch.bfloat16)
    return 2 * side**3 / Timer("a @ b", globals={"a": a, "b": b}).timeit(20).mean / 1e12


def data_sheet(card):
    """The TFLOP/s that a card's maker promises in bf16, by the name that CUDA gives it; None for one not in `PEAKS`."""
    return next((rate for words, rate in PEAKS.items() if words in card), None)
