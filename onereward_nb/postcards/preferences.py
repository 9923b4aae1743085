"""Preference data, as the paper makes it: candidates of one edit, and the best and the worst in each dimension.

python -m onereward_nb.postcards.preferences --items 2000 --out runs/preferences

Where the paper has annotators, the oracle looks. Source: Gong et al., OneReward, arXiv 2508.21066, sections 4.2
and 4.3. Several processes: accelerate launch --multi_gpu --num_processes 2 -m onereward_nb.postcards.preferences ...
"""

import argparse
import json
import os
from collections import deque
from itertools import chain, cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ..environment import ROOT
from ..evaluation import HELD_OUT
from ..files import write
from ..models import load_pipeline
from ..tasks import TASKS
from .candidates import CANDIDATES, make_candidates
from .examples import example
from .oracle import pool, score_all

PART = 200  # items that share a file, and the random settings of each of their candidates
PORTION = 10  # items that a process draws or judges at a time
AHEAD = 2  # parts that are drawn ahead, and that wait to be judged
FIRST_SEED = 300_000  # where no other training draws
MARGIN = 0.05  # scores nearer to each other than this are too close to call
SHIPPED = ROOT / "assets" / "preferences"


class Item(NamedTuple):
    """An edit: its four candidates and then the truth, as the model's VAE returns it, with a dictionary of scores each.

    images: PIL, or None where only the scores were loaded.
    """

    task: str
    seed: int
    prompt: str
    images: list
    scores: list


class Pair(NamedTuple):
    """One preference: in this dimension, the winner (PIL image) is better than the loser.

    gap: by how much, from 0 to 1, in the oracle's scores.
    """

    task: str
    seed: int
    dimension: str
    prompt: str
    winner: Image.Image
    loser: Image.Image
    gap: float = 1.0


def draw_examples(task, seeds):
    return [example(task, seed) for seed in seeds]


def judge(examples, candidates):
    """Items of examples and their candidates, scored by the oracle."""
    repeated = [each for each, images in zip(examples, candidates, strict=True) for _ in images]
    scores = iter(score_all(repeated, list(chain.from_iterable(candidates))))
    return [
        Item(
            each.task,
            each.seed,
            TASKS[each.task].prompt_for(each.prompt),
            images,
            [next(scores) for _ in images],
        )
        for each, images in zip(examples, candidates, strict=True)
    ]


def make_items(pipe, wanted, workers=None):
    """Items part by part: for each (task, seeds) a list. The same seeds give the same items.

    Processes draw the next examples and judge the last candidates while this one edits.
    """
    workers = workers or max(1, os.cpu_count() - 1)  # one core is left to this process
    waiting, drawn, judged = deque(wanted), deque(), deque()
    with pool(workers) as oracle:
        while waiting or drawn or judged:
            while waiting and len(drawn) < AHEAD:
                task, seeds = waiting.popleft()
                drawn.append([oracle.submit(draw_examples, task, some) for some in portions(seeds)])
            if drawn:
                examples = list(chain.from_iterable(job.result() for job in drawn.popleft()))
                candidates = make_candidates(pipe, examples, np.random.default_rng([examples[0].seed, 9]))
                work = zip(portions(examples), portions(candidates), strict=True)
                judged.append([oracle.submit(judge, *some) for some in work])
            if judged and (len(judged) > AHEAD or not drawn):
                yield list(chain.from_iterable(job.result() for job in judged.popleft()))


def portions(things):
    """What one process takes at a time."""
    return [things[start : start + PORTION] for start in range(0, len(things), PORTION)]


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
    """The preferences that an item gives: one in each dimension of its task, or none where it is too close.

    As in the paper: the best of the candidates against the worst. The truth takes no part.
    """
    rng = np.random.default_rng([item.seed, 10])
    for dimension in TASKS[item.task].dimensions:
        picked = best_and_worst(item.scores[:CANDIDATES], dimension, rng, noise, margin)
        if picked is not None:
            winner, loser = (item.images[index] for index in picked)
            best, worst = (item.scores[index][dimension] for index in picked)
            yield Pair(item.task, item.seed, dimension, item.prompt, winner, loser, abs(best - worst))


def save_items(items, path):
    """Items in one safetensors file: pictures uint8 (n, 5, height, width, 3), the rest as JSON in its header."""
    pictures = np.stack([[np.asarray(image) for image in item.images] for item in items])
    notes = [item._replace(images=None)._asdict() for item in items]
    write(
        path,
        lambda temporary: save_file(
            {"pictures": torch.from_numpy(pictures)}, temporary, {"items": json.dumps(notes)}
        ),
    )


def load_notes(path):
    """The items of a file without their pictures. ValueError for a file that is something else."""
    with safe_open(path, "pt") as file:
        notes = (file.metadata() or {}).get("items")
    if notes is None:
        raise ValueError(
            f"{Path(path).name} holds no items: make them with onereward_nb.postcards.preferences."
        )
    return [Item(**note) for note in json.loads(notes)]


def load_items(path):
    """What save_items wrote."""
    items, pictures = load_notes(path), load_file(path)["pictures"].numpy()
    return [
        item._replace(images=[Image.fromarray(picture) for picture in several])
        for item, several in zip(items, pictures, strict=True)
    ]


def shipped_items():
    """A few held-out items of each task that come along, in the order of their seeds; SHIPPED says how they were made."""
    items = chain.from_iterable(load_items(path) for path in SHIPPED.glob("*.safetensors"))
    return sorted(items, key=lambda item: item.seed)


def parts(items, first_seed=FIRST_SEED, tasks=TASKS):
    """Tasks and seeds of the files to make: as many items of each task, at most PART in a file.

    More items later keep the files that there are: each begins at a seed of its own.
    """
    rounds = -(-items // (PART * len(tasks)))
    number = rounds * len(tasks)
    end = first_seed + number * PART
    if first_seed < HELD_OUT < end:
        raise ValueError(
            f"{items} items from seed {first_seed} on reach seed {HELD_OUT}, which is held out for evaluation: "
            "make fewer, or begin lower"
        )
    shares = [items // number + (place < items % number) for place in range(number)]
    return [
        (task, range(start, start + share))
        for start, task, share in zip(range(first_seed, end, PART), cycle(tasks), shares, strict=False)
        if share
    ]


def complete(pipe, folder, wanted, workers=None):
    """Make the files of `wanted` parts that a folder lacks; return the paths of all."""
    paths = {part: Path(folder) / f"{part[0]}-{part[1][0]:07}.safetensors" for part in wanted}
    lacking = [
        part for part, path in paths.items() if not path.exists() or len(load_notes(path)) < len(part[1])
    ]
    made = make_items(pipe, lacking, workers)
    for part, items in zip(lacking, made, strict=True):
        save_items(items, paths[part])
        print(f"{paths[part].name}: {len(items)} items", flush=True)
    return list(paths.values())


def main():
    from accelerate import PartialState

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="postcard-fill", help="the pipeline whose candidates to judge")
    parser.add_argument("--items", type=int, default=2000, help="edits, with four candidates each")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="edits of these only")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument(
        "--workers", type=int, help="processes that draw and judge; by default one for each core but one"
    )
    parser.add_argument("--device", help="cpu, cuda or mps; by default the best there is")
    parser.add_argument("--out", type=Path, required=True, help="folder of the files; those there are kept")
    args = parser.parse_args()
    state = PartialState(cpu=args.device == "cpu")
    pipe = load_pipeline(args.model, device=args.device or str(state.device))
    pipe.set_progress_bar_config(disable=True)
    with state.split_between_processes(parts(args.items, args.first_seed, args.tasks)) as mine:
        complete(pipe, args.out, mine, args.workers)


if __name__ == "__main__":
    main()
