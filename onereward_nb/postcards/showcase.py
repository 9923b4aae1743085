"""The picture of the README: the first held-out examples of each task, as they come.

python -m onereward_nb.postcards.showcase --out assets/images/edits.png
"""

import argparse
from pathlib import Path

from .. import masks
from ..evaluation import HELD_OUT, edit_examples
from ..files import write
from ..grids import grid
from ..models import load_pipeline
from .examples import example

SHOWN = ("fill", "fill", "text", "text", "extend", "removal")


def showcase(pipe, first_seed=HELD_OUT):
    """Inputs with their masks, results and ground truths of one example a column: a Picture."""
    seeds = [first_seed + SHOWN[:place].count(task) for place, task in enumerate(SHOWN)]
    examples = [example(task, seed) for task, seed in zip(SHOWN, seeds, strict=True)]
    results = [edit_examples(pipe, [each])[0] for each in examples]
    rows = [
        [masks.overlay(each.image, each.mask) for each in examples],
        results,
        [each.target for each in examples],
    ]
    return grid(rows, [each.prompt for each in examples], ["input", "result", "truth"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="postcard-fill")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    picture = showcase(load_pipeline(args.model, device="cpu"))
    write(args.out, lambda path: path.write_bytes(picture.png()))
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
