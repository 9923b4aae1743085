"""The reward model: one vision-language model that says which of two edits is better, in every task and dimension.

    judge = load_reward_model("postcard-reward")
    judge.preference(one, other, task="fill", dimension="text alignment", prompt="a red ball")

Two pictures and a question go in; the reward is the probability of the answer Yes, that the first is better:
r(a, b) = P(Yes) = sigmoid(logit of Yes - logit of No). Neither the mask nor the picture before the edit is shown.

Source: Gong et al., OneReward, arXiv 2508.21066, sections 4.2 and 4.3.
"""

from collections import defaultdict
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoTokenizer,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from . import checks, devices, hub
from .environment import progress
from .hub import ModelUnavailable
from .images import as_array
from .models import MODELS, models_folder, obstacle_to
from .queries import answers, padded, query, read, script, yes_chance
from .tasks import TASKS, run_task
from .vision import see

BATCH = 32  # pictures and pairs that are looked at together where no gradient is wanted


def load_reward_model(name="postcard-reward", device=None, dtype=None):
    """A reward model by its name, or from a folder in the layout of Qwen2.5-VL.

    Args:
        name: "postcard-reward", trained on the Postcard world; "qwen2.5-vl-3b" or "qwen2.5-vl-7b", which nobody
            trained to judge edits: zero-shot stand-ins for the paper's model, whose weights are not released; or the
            path of a folder.
        device, dtype: as for `load_pipeline`.

    Returns:
        A RewardModel.

    Raises:
        ValueError for an unknown name or one that is no reward model; ModelUnavailable, with the next step, where
        weights, a GPU, a login, a licence or a connection is missing.
    """
    device = devices.named(device)
    source = _source(name, device)
    devices.check_there(device)
    here = {"local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **here)
        processor = Qwen2VLImageProcessorPil.from_pretrained(source, **here)  # for its settings
        config = AutoConfig.from_pretrained(source, **here)
        if config.model_type != "qwen2_5_vl":
            raise ValueError(f"it is a {config.model_type!r}, no Qwen2.5-VL.")
        model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            source,
            config=config,
            dtype=dtype or devices.default_dtype(device),
            use_safetensors=True,
            output_loading_info=True,
            **here,
        )
        if report["missing_keys"]:  # the library leaves them random
            raise ValueError(f"its weights lack {min(report['missing_keys'])}.")
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{source} does not hold a whole reward model, which has config.json, model.safetensors, "
            "preprocessor_config.json, tokenizer.json and a chat template, as Qwen2.5-VL has them. "
            f"Put there what is missing: {error}"
        ) from error
    return RewardModel(model.to(device), tokenizer, processor)


def _source(name, device):
    """The folder that a reward model is loaded from, downloaded if need be."""
    if name not in MODELS and Path(name).is_dir():
        return Path(name)
    judges = [each.name for each in MODELS.values() if each.kind == "reward"]
    if name in MODELS and name not in judges:
        raise ValueError(f"{name!r} edits pictures and judges none. Models that judge: {', '.join(judges)}.")
    if name not in MODELS:
        raise ValueError(
            f"There is no reward model {name!r}, and no folder of that name. Known: {', '.join(judges)}."
        )
    model = MODELS[name]
    if obstacle := obstacle_to(model, device):
        raise ModelUnavailable(obstacle)
    if model.full_size:
        return hub.download({model.base: ["*.json", "*.safetensors", "*.txt", "*.jinja"]})[model.base]
    return models_folder() / model.base


class RewardModel:
    """A Qwen2.5-VL that compares edits.

    Every method takes a `task` of `TASKS`, one of its dimensions, and the `prompt` that was asked for; that one is
    needed for text alignment and text rendering, and left out of the question elsewhere (see `queries.query`).
    Pictures that are compared may differ in size.

    Attributes: `model`, a Qwen2_5_VLForConditionalGeneration without gradients, its `tokenizer` and its image
    `processor`.
    """

    def __init__(self, model, tokenizer, processor):
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self.processor = tokenizer, processor
        self.yes_no = answers(tokenizer)
        self._script = lru_cache(maxsize=4096)(lambda question: script(tokenizer, question))

    def preference(self, a, b, *, task, dimension, prompt=None, both_orders=False):
        """P(Yes): how sure the model is that a is better than b, from 0 to 1.

        a, b: two pictures of any kind that `onereward_nb.images` takes, or two lists of them, compared one by one.
        prompt: one for all, or a list. both_orders: the mean of P(Yes | a, b) and 1 - P(Yes | b, a), in which a
        liking for the first place cancels.

        Returns a float, or a list of floats. TypeError for a list and a picture, ValueError for lists of different
        length, and as `queries.query`.
        """
        several = isinstance(a, (list, tuple))
        if several != isinstance(b, (list, tuple)):
            raise TypeError("a and b are a picture and a list of pictures: give two pictures, or two lists.")
        firsts, seconds = (a, b) if several else ([a], [b])
        if len(firsts) != len(seconds):
            raise ValueError(f"{len(firsts)} pictures against {len(seconds)}: give each its opponent")
        questions = _questions(task, dimension, prompt, len(firsts))
        results = []
        for start in progress(range(0, len(firsts), BATCH), f"{len(firsts)} comparisons"):
            part = slice(start, start + BATCH)
            count = len(firsts[part])
            seen = self._see_all([*firsts[part], *seconds[part]])
            pairs = [(place, count + place) for place in range(count)]
            chances = self._chances(seen, pairs, questions[part])
            if both_orders:
                swapped = self._chances(seen, [pair[::-1] for pair in pairs], questions[part])
                chances = (chances + 1 - swapped) / 2
            results += chances.tolist()
        return results if several else results[0]

    @torch.inference_mode()
    def contests(self, images, *, task, dimensions, prompt=None):
        """P(Yes) that each of some edits of one picture is better than each other, over both orders.

        dimensions: a list of the task's. Returns an array (dimensions, n, n); an image against itself counts 0.5.
        """
        count = len(images)
        seen = self._see_all(images)
        pairs = list(permutations(range(count), 2))
        wins = np.full((len(dimensions), count, count), 0.5)
        for table, dimension in zip(wins, dimensions, strict=True):
            chances = self._chances(seen, pairs, _questions(task, dimension, prompt, len(pairs)))
            for (a, b), chance in zip(pairs, chances.tolist(), strict=True):
                table[a, b] += (chance - 0.5) / 2
                table[b, a] -= (chance - 0.5) / 2
        return wins

    def rank(self, images, *, task, dimension, prompt=None):
        """The order of some edits of one picture, best first: a list of their indices.

        Each is compared with each other in both orders; the one with the highest mean P(Yes) comes first.
        """
        standings = self._standings(images, task, [dimension], prompt)
        return np.argsort(-standings, kind="stable").tolist()

    def best_of(self, pipe, n, task, image, mask, prompt=None, *, dimension=None, seed=0, **overrides):
        """The best of n edits, from n seeds, as this model sees it: a PIL image.

        task, image, mask, prompt, overrides: as for `run_task`. dimension: what to choose by; by default the mean
        of all dimensions of the task. seed: of the first edit; the next has the next.
        """
        checks.whole("n", n, at_least=1)
        task = TASKS[getattr(task, "name", task)]
        dimensions = [dimension] if dimension else task.dimensions
        _questions(task, dimensions[0], prompt, 1)  # says what is wrong before any edit is made
        edits = [
            run_task(pipe, task, image, mask, prompt, seed + place, **overrides)
            for place in progress(range(n), f"{n} edits")
        ]
        return edits[int(np.argmax(self._standings(edits, task, dimensions, prompt)))]

    def reward(self, images, references, *, task, dimension, prompt=None):
        """P(Yes) that each image is better than its reference, with gradient to the pixels of both.

        images, references: (n, 3, height, width) from 0 to 1, on the model's device; the two may differ in size.
        prompt: one for all, or a list of n.

        Returns (n,), float32.
        """
        return self._rewards(images, references, task, [dimension], prompt)[dimension]

    def rewards(self, images, references, *, task, prompt=None):
        """reward() in each dimension of the task, the pictures looked at once: {dimension: (n,)}."""
        return self._rewards(images, references, task, TASKS[getattr(task, "name", task)].dimensions, prompt)

    def _rewards(self, images, references, task, dimensions, prompt):
        for name, pictures in (("images", images), ("references", references)):
            if pictures.ndim != 4 or pictures.shape[1] != 3 or len(pictures) != len(images):
                raise ValueError(
                    f"{name} have the shape {tuple(pictures.shape)}: expected ({len(images)}, 3, height, width)"
                )
        questions = {name: _questions(task, name, prompt, len(images)) for name in dimensions}
        sights = [see(self.model.model.visual, self.processor, each) for each in (images, references)]
        return {name: self._answer(*sights, asked) for name, asked in questions.items()}

    def _standings(self, images, task, dimensions, prompt):
        """The mean P(Yes) of each image against all, over both orders and the dimensions: array (n,)."""
        return self.contests(images, task=task, dimensions=dimensions, prompt=prompt).mean(axis=(0, 2))

    @torch.inference_mode()
    def _see_all(self, pictures):
        """The tokens of pictures of any sizes: [(tokens, grid)], each picture looked at once."""
        pixels = [torch.from_numpy(as_array(picture)).permute(2, 0, 1) for picture in pictures]
        seen = [None] * len(pixels)
        for places in _alike([each.shape for each in pixels]):
            stacked = torch.stack([pixels[place] for place in places]).to(self.model.device)
            tokens, grid = see(self.model.model.visual, self.processor, stacked)
            for place, each in zip(places, tokens, strict=True):
                seen[place] = each, grid
        return seen

    @torch.inference_mode()
    def _chances(self, seen, pairs, questions):
        """P(Yes) for pairs of indices into what _see_all has seen, one question each: (pairs,), on the CPU."""
        chances = torch.empty(len(pairs))
        for places in _alike([(seen[a][1], seen[b][1]) for a, b in pairs]):
            sights = [
                (
                    torch.stack([seen[pairs[place][side]][0] for place in places]),
                    seen[pairs[places[0]][side]][1],
                )
                for side in (0, 1)
            ]
            chances[places] = self._answer(*sights, [questions[place] for place in places]).cpu()
        return chances

    def _answer(self, first, second, questions):
        """P(Yes) from what was seen of both pictures, (tokens, grid) each, and the questions: (n,)."""
        scripts = [self._script(question) for question in questions]
        tails, ends = padded([each.tail for each in scripts])
        device = self.model.device
        head, between, tails = (each.to(device) for each in (*scripts[0][:2], tails))
        hidden = read(self.model, head, first, between, second, tails)
        return yes_chance(self.model, hidden[torch.arange(len(tails)), ends], self.yes_no)


def _questions(task, dimension, prompt, count):
    """One question for each of `count` pairs."""
    prompts = list(prompt) if isinstance(prompt, (list, tuple)) else [prompt] * count
    if len(prompts) != count:
        raise ValueError(f"{len(prompts)} prompts for {count} pairs: give one for all, or one for each")
    return [query(task, dimension, each) for each in prompts]


def _alike(kinds):
    """Indices of equal things together, at most BATCH of them: lists of indices."""
    groups = defaultdict(list)
    for place, kind in enumerate(kinds):
        groups[kind].append(place)
    return [
        places[start : start + BATCH] for places in groups.values() for start in range(0, len(places), BATCH)
    ]
