"""Preference data, as the paper makes it: candidates of one edit, and the best and the worst in each dimension.

python -m onereward_nb.postcards.preferences --items 2000 --out runs/preferences

Where the paper has annotators, the oracle looks. Source: Gong et al., OneReward, arXiv 2508.21066, sections 4.2
and 4.3. Several processes: accelerate launch --multi_gpu --num_processes 2 -m onereward_nb.postcards.preferences ...
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from ..evaluation import HELD_OUT, edit_examples
from ..files import write
from ..models import load_pipeline
from ..tasks import TASKS
from .examples import example
from .oracle import score_all

CANDIDATES = 4
NEGATIVE_PROMPTS = ("", "nsfw", "blurry", "low quality")  # the last three are the paper's
PART = 16  # items that share a file, and the random settings of each of their candidates
FIRST_SEED = 300_000  # where no other training draws
MARGIN = 0.05  # scores nearer to each other than this are too close to call


class Item(NamedTuple):
    """An edit and its candidates: PIL images, and a dictionary of scores for each."""

    task: str
    seed: int
    prompt: str
    images: list
    scores: list


class Pair(NamedTuple):
    """One preference: in this dimension, the winner (PIL image) is better than the loser."""

    task: str
    seed: int
    dimension: str
    prompt: str
    winner: Image.Image
    loser: Image.Image


def random_settings(rng):
    """What differs between candidates: steps, negative prompt, guidance scale and how much noise they start from."""
    return {
        "num_inference_steps": int(rng.integers(4, 29)),
        "negative_prompt": str(rng.choice(NEGATIVE_PROMPTS)),
        "true_cfg_scale": float(rng.uniform(1, 8)),
        "strength": float(rng.uniform(0.6, 1)),
    }


def make_items(pipe, task, seeds):
    """Items of one task. The same seeds give the same items."""
    rng = np.random.default_rng([seeds[0], 9])
    examples = [example(task, seed, pipe.default_size) for seed in seeds]
    edits = [edit_examples(pipe, examples, **random_settings(rng)) for _ in range(CANDIDATES)]
    scores = [score_all(examples, images) for images in edits]
    return [
        Item(task, each.seed, TASKS[task].prompt_for(each.prompt), list(images), list(judged))
        for each, images, judged in zip(
            examples, zip(*edits, strict=True), zip(*scores, strict=True), strict=True
        )
    ]


def best_and_worst(scores, dimension, rng=None, noise=0.0, margin=MARGIN):
    """Which candidates an annotator picks, as (best, worst); None where they are too close to call.

    scores: a dictionary for each candidate. noise: the share of answers that are the wrong way round.
    """
    values = [each[dimension] for each in scores]
    best, worst = int(np.argmax(values)), int(np.argmin(values))
    if values[best] - values[worst] < margin:
        return None
    return (worst, best) if rng is not None and rng.random() < noise else (best, worst)


def pairs_of(item, noise=0.0, margin=MARGIN):
    """The preferences that an item gives: one in each dimension of its task, or none where it is too close."""
    rng = np.random.default_rng([item.seed, 10])
    for dimension in TASKS[item.task].dimensions:
        picked = best_and_worst(item.scores, dimension, rng, noise, margin)
        if picked is not None:
            winner, loser = (item.images[index] for index in picked)
            yield Pair(item.task, item.seed, dimension, item.prompt, winner, loser)


def save_items(items, path):
    """Items in one safetensors file: pictures uint8 (n, 4, height, width, 3), the rest as JSON in its header."""
    pictures = np.stack([[np.asarray(image) for image in item.images] for item in items])
    notes = [item._replace(images=None)._asdict() for item in items]
    write(
        path,
        lambda temporary: save_file(
            {"pictures": torch.from_numpy(pictures)}, temporary, {"items": json.dumps(notes)}
        ),
    )


def load_items(path):
    """What save_items wrote. ValueError for a file that is something else."""
    with safe_open(path, "pt") as file:
        notes = (file.metadata() or {}).get("items")
        if notes is None:
            raise ValueError(
                f"{Path(path).name} holds no items: make them with onereward_nb.postcards.preferences."
            )
        pictures = file.get_tensor("pictures").numpy()
    return [
        Item(**note | {"images": [Image.fromarray(picture) for picture in four]})
        for note, four in zip(json.loads(notes), pictures, strict=True)
    ]


def parts(items, first_seed=FIRST_SEED):
    """Tasks and seeds of the files to make: the tasks in turn, PART items each."""
    if first_seed + items > HELD_OUT:
        raise ValueError(
            f"{items} items from seed {first_seed} on reach seed {HELD_OUT}, which is held out for evaluation: "
            "make fewer, or begin lower"
        )
    starts = range(first_seed, first_seed + items, PART)
    names = list(TASKS)
    return [
        (names[number % len(names)], range(start, min(start + PART, first_seed + items)))
        for number, start in enumerate(starts)
    ]


def main():
    from accelerate import PartialState

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="postcard-fill", help="the pipeline whose candidates to judge")
    parser.add_argument("--items", type=int, default=2000, help="edits, with four candidates each")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--device", help="cpu, cuda or mps; by default the best there is")
    parser.add_argument("--out", type=Path, required=True, help="folder of the files; those there are kept")
    args = parser.parse_args()
    state = PartialState(cpu=args.device == "cpu")
    pipe = load_pipeline(args.model, device=args.device or str(state.device))
    pipe.set_progress_bar_config(disable=True)
    with state.split_between_processes(parts(args.items, args.first_seed)) as mine:
        for task, seeds in mine:
            path = args.out / f"{task}-{seeds[0]:07}.safetensors"
            if not path.exists():
                save_items(make_items(pipe, task, seeds), path)
                print(f"{path.name}: {len(seeds)} items", flush=True)


if __name__ == "__main__":
    main()
