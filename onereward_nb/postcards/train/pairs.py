"""Preferences as tensors: every pair of one edit's candidates that the oracle can tell apart, where training needs it."""

from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ...evaluation import HELD_OUT
from ...queries import query
from ...tasks import TASKS
from ..preferences import MARGIN, load_notes
from .judging import as_pixels, tokenize

UNSEEN = 0.02  # the share of items that is not trained on, to look at
SHIFT = 4  # pixels: how far both pictures of a pair are moved together
TINT = 0.1  # how much their channels are brightened or darkened together


class Pairs:
    """Winners and losers among some pictures, and the question that each pair answers.

    pictures: uint8 (p, 128, 128, 3). winners, losers: their indices, (n,). question: (n,), into tails, uint8
    (q, length), and ends, (q,). cells: {(task, dimension): slice of the pairs}.
    """

    def __init__(self, pictures, winners, losers, question, questions, cells):
        self.pictures, self.cells = pictures, cells
        device = pictures.device
        self.winners, self.losers, self.question = (
            torch.tensor(each, device=device) for each in (winners, losers, question)
        )
        self.tails, self.ends = (each.to(device) for each in tokenize(questions))
        # a task with one dimension only is asked about more often than one of four, though less than four times as often
        weights = [len(TASKS[task].dimensions) ** -0.5 for task, _ in cells]
        self.weights = torch.tensor(weights, device=device)
        self.starts, self.counts = (
            torch.tensor(each, device=device)
            for each in zip(*((cell.start, cell.stop - cell.start) for cell in cells.values()), strict=True)
        )
        # only a word can't be judged in a mirror
        self.mirrors = torch.tensor([task != "text" for task, _ in cells], device=device)

    def __len__(self):
        return len(self.winners)

    def draw(self, count):
        """Some pairs at random, altered: as take() returns them, but pictures (n, 3, 128, 128) from 0 to 1."""
        cell = torch.multinomial(self.weights, count, replacement=True)
        place = torch.rand(count, device=self.starts.device, dtype=torch.float64) * self.counts[cell]
        winners, losers, tails, ends = self.take(self.starts[cell] + place.long())
        mirrored = self.mirrors[cell] & (torch.rand(count, device=self.starts.device) < 0.5)
        return *altered(winners, losers, mirrored), tails, ends

    def take(self, chosen):
        """Pictures of winners and losers, uint8 (n, 128, 128, 3), the questions (n, length) and their ends (n,)."""
        question = self.question[chosen]
        pictures = (self.pictures[side[chosen]] for side in (self.winners, self.losers))
        return *pictures, self.tails[question].long(), self.ends[question]

    def by_cell(self):
        """[((task, dimension), indices of its pairs)]"""
        device = self.winners.device
        return [
            (cell, torch.arange(pairs.start, pairs.stop, device=device)) for cell, pairs in self.cells.items()
        ]

    @classmethod
    def load(cls, folder, device, task=None, noise=0.0, seed=0):
        """Pairs to train on, and some of other edits to look at, from the files in a folder.

        The paper's annotators name the best and the worst of four. The oracle orders all, and each pair that it can
        tell apart is used. task: of one task only. noise: the share of pairs that are turned round.
        ValueError for a folder without items, and for one with items that are held out.
        """
        paths = sorted(Path(folder).glob(f"{task}-[0-9]*.safetensors" if task else "*.safetensors"))
        if not paths:
            raise ValueError(
                f"{folder} holds no items{f' of {task}' if task else ''}: make them with "
                "python -m onereward_nb.postcards.preferences --out"
            )
        items, pictures = [], []
        for path in paths:
            notes = load_notes(path)
            if notes[-1].seed >= HELD_OUT:
                raise ValueError(f"{path.name} is held out for evaluation: train on seeds below {HELD_OUT}")
            items += notes
            pictures.append(load_file(path)["pictures"].flatten(0, 1).to(device))
        pictures = torch.cat(pictures)
        rng = np.random.default_rng([seed, 12])
        unseen = rng.random(len(items)) < UNSEEN
        unseen[:1] = len(items) > 1  # at least one
        return [
            cls(pictures, *listed(items, np.flatnonzero(some), share, rng))
            for some, share in ((~unseen, noise), (unseen, 0.0))
        ]


def listed(items, chosen, noise, rng):
    """The pairs of some items, cell by cell: indices of winners and losers, of questions, the questions, and the cells.

    Picture i of item k has the index k times the number of pictures of an item, plus i.
    """
    winners, losers, question, cells = [], [], [], {}
    questions = {}
    for task in TASKS.values():
        for dimension in task.dimensions:
            start = len(winners)
            for place in (place for place in chosen if items[place].task == task.name):
                item = items[place]
                asked = questions.setdefault(query(task, dimension, item.prompt), len(questions))
                values = [score[dimension] for score in item.scores]
                for one, other in combinations(range(len(values)), 2):
                    if abs(values[one] - values[other]) < MARGIN:
                        continue
                    pair = (
                        (one, other)
                        if (values[one] > values[other]) != (rng.random() < noise)
                        else (other, one)
                    )
                    winners.append(place * len(values) + pair[0])
                    losers.append(place * len(values) + pair[1])
                    question.append(asked)
            if len(winners) > start:
                cells[task.name, dimension] = slice(start, len(winners))
    return winners, losers, question, list(questions), cells


def altered(winners, losers, mirrored):
    """Pairs moved, tinted and some mirrored, both pictures of a pair alike: which one is better stays as it was.

    uint8 (n, height, width, 3) to float (n, 3, height, width) from 0 to 1. mirrored: bool (n,), which of the pairs.
    """
    count, side, device = len(winners), winners.shape[1], winners.device
    shift = torch.randint(-SHIFT, SHIFT + 1, (2, count, 1), device=device)
    rows, columns = (torch.arange(side, device=device) + shift).clamp(0, side - 1)
    columns = torch.where(mirrored[:, None], side - 1 - columns, columns)
    which = torch.arange(count, device=device)[:, None, None]
    tint = 1 + TINT * (2 * torch.rand(count, 3, 1, 1, device=device) - 1)
    return [
        (as_pixels(pictures[which, rows[:, :, None], columns[:, None]]) * tint).clamp(0, 1)
        for pictures in (winners, losers)
    ]
