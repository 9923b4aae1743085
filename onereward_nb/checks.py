"""Checks on the arguments of an edit: each raises ValueError or TypeError that says what to do."""

import math
from itertools import pairwise
from numbers import Integral, Real

import torch


def number(name, value, above=-math.inf, at_least=-math.inf, at_most=math.inf):
    """A finite real number within limits."""
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    if not (math.isfinite(value) and value > above and at_least <= value <= at_most):
        limits = [
            f"{word} {limit}"
            for word, limit in (("above", above), ("at least", at_least), ("at most", at_most))
            if math.isfinite(limit)
        ]
        if not math.isfinite(value):
            limits.append("finite")
        raise ValueError(f"{name} must be {' and '.join(limits)}, got {value!r}.")


def whole(name, value, at_least, at_most=math.inf):
    """A whole number within limits."""
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}.")
    number(name, value, at_least=at_least, at_most=at_most)


def one_of(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def pipeline(pipe):
    """A pipeline, not its name."""
    if isinstance(pipe, str):
        raise TypeError(f"pipe is the name {pipe!r}: give the pipeline that load_pipeline({pipe!r}) returns.")


def true_cfg_scale(scale, alias):
    """The scale of true CFG from its two spellings; 1 where neither is given."""
    if scale is not None and alias is not None and scale != alias:
        raise ValueError(
            f"true_cfg_scale={scale!r} and true_cfg={alias!r} are two names of one setting: give one of them."
        )
    value = next((given for given in (scale, alias) if given is not None), 1.0)
    number("true_cfg_scale", value, at_least=0)
    return value


def size(width, height):
    """(width, height) to work at, or None for the picture's own."""
    if width is None and height is None:
        return None
    if width is None or height is None:
        raise ValueError(
            f"Give both height and width, or none for the picture's own size; got height={height!r}, "
            f"width={width!r}."
        )
    whole("width", width, at_least=16)
    whole("height", height, at_least=16)
    return width, height


def prompt(given, name=""):
    """A `Prompt` as text, or as both of its embeddings; name is what its arguments' names begin with."""
    for label, words in ((f"{name}prompt", given.text), (f"{name}prompt_2", given.text_2)):
        _words(label, words)
        if words is not None and given.embeds is not None:
            raise ValueError(f"{label} and {name}prompt_embeds are both given: leave one of them out.")
    if given.text is None and given.embeds is None:
        raise ValueError(f"{name}prompt is missing: say what to paint, or give {name}prompt_embeds.")
    if given.text_2 is not None and _count(given.text) != _count(given.text_2):
        raise ValueError(
            f"{_count(given.text)} {name}prompt, {_count(given.text_2)} {name}prompt_2: they go in pairs."
        )
    if (given.embeds is None) != (given.pooled is None):
        raise ValueError(
            f"{name}prompt_embeds and {name}pooled_prompt_embeds go together: encode_prompt returns both."
        )
    for tensor in (given.embeds, given.pooled):
        if tensor is not None and not torch.isfinite(tensor).all():
            raise ValueError(f"The {name}prompt embeddings hold NaN or infinite values: encode it again.")


def _words(name, value):
    items = value if isinstance(value, list) else [value]
    if value is not None and not (items and all(isinstance(item, str) for item in items)):
        raise TypeError(f"{name} must be a string or a list of strings, got {value!r}.")


def _count(items):
    return 1 if items is None or isinstance(items, str) else len(items)


def batch_size(**given):
    """The common length of what was given for a batch: each may be one, or as many as the others.

    Strings, lists, tensors and arrays are counted; None counts as one.
    """
    counts = {name: _count(items) for name, items in given.items()}
    batch = max(counts.values())
    if any(count not in (1, batch) for count in counts.values()):
        listed = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise ValueError(
            f"These don't fit into one batch: {listed}. Give one of each for all, or the same number."
        )
    return batch


def generators(generator, total):
    """None, one torch.Generator, or a list with one for each picture to make."""
    listed = generator if isinstance(generator, list) else [generator]
    if any(not isinstance(one, torch.Generator | None) for one in listed):
        raise TypeError(
            f'generator must be a torch.Generator such as torch.Generator("cpu").manual_seed(0), '
            f"got {generator!r}."
        )
    if isinstance(generator, list) and len(generator) != total:
        raise ValueError(
            f"{len(generator)} generators for {total} pictures: give one for each, or a single one for all."
        )


def noise(latents, total, shape, channels):
    """Packed latents for `total` pictures of the shape (n, 3, height, width), or None."""
    if latents is None:
        return
    expected = (total, shape[2] * shape[3] // 256, channels)
    if tuple(latents.shape) != expected:
        raise ValueError(
            f"latents have the shape {tuple(latents.shape)}, expected packed noise of the shape {expected}: "
            "(pictures, tokens of 16x16 pixels, channels)."
        )
    if not torch.isfinite(latents).all():
        raise ValueError("latents hold NaN or infinite values: draw them with torch.randn.")


def same_tokens(positive, negative):
    """Prompt and negative prompt go through one batch: their embeddings must have the same length."""
    if positive.shape[1:] != negative.shape[1:]:
        raise ValueError(
            f"prompt_embeds have the shape {tuple(positive.shape)}, negative_prompt_embeds "
            f"{tuple(negative.shape)}: encode both with the same max_sequence_length."
        )


def steps(num_inference_steps, sigmas, strength):
    """Steps or noise levels, and a strength that leaves at least one of them to run."""
    whole("num_inference_steps", num_inference_steps, at_least=1)
    number("strength", strength, above=0, at_most=1)
    if sigmas is not None:
        falling = all(high > low for high, low in pairwise(sigmas))
        if not len(sigmas) or not falling or not sigmas[0] <= 1 or not sigmas[-1] > 0:  # NaN is neither
            raise ValueError(f"sigmas must fall from at most 1 to above 0, got {list(sigmas)}.")
    count = num_inference_steps if sigmas is None else len(sigmas)
    if count * strength < 1:
        raise ValueError(
            f"strength={strength} of {count} steps is less than one step: raise it to "
            f"{math.ceil(1000 / count) / 1000:g} or more, or take more steps."
        )
