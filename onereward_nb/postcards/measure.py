"""Measure what ships, on held-out seeds, and write the figures down.

python -m onereward_nb.postcards.measure reader            # how well the oracle reads untouched renders
python -m onereward_nb.postcards.measure postcard-fill     # VAE, success rate of each task, guidance scale
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from ..evaluation import HELD_OUT, evaluate, summarise, wilson
from ..files import write_json
from ..models import load_pipeline, models_folder
from ..tasks import TASKS
from .examples import example, scene_with_sign
from .oracle import score_all
from .reader import FIRST_THING, as_tensor, load_reader, true_classes
from .reading import spell
from .rendering import render
from .scenes import COLOURS, KINDS, make_scene

SCALES = (1.0, 2.0, 3.0, 4.0, 6.0)


def measure_reader(count=1000):
    """How often the reader is right about untouched renders: kinds and colours of things, letters of signs."""
    reader = load_reader()
    kinds, colours, letters, words = [], [], [], []
    for first in range(HELD_OUT, HELD_OUT + count, 50):
        scenes = [make_scene(seed) for seed in range(first, first + 50)]
        for scene, classes, read in zip(
            scenes, *reader.read_pictures([render(s) for s in scenes]), strict=True
        ):
            truth = true_classes(scene)
            for thing in scene.things:
                label = FIRST_THING + KINDS.index(thing.kind), list(COLOURS).index(thing.colour)
                region = (truth[0] == label[0]) & (truth[1] == label[1])
                kinds.append(np.bincount(classes[region]).argmax() == label[0])
                colours.append(np.bincount(read[region]).argmax() == label[1])
        scenes, signs = zip(*(scene_with_sign(seed) for seed in range(first, first + 50)), strict=True)
        for sign, chances in zip(
            signs, reader.letter_chances([render(s) for s in scenes], signs), strict=True
        ):
            word = spell(chances)
            words.append(word == sign.word)
            letters += [place < len(word) and word[place] == letter for place, letter in enumerate(sign.word)]
    return {"kind": rate(kinds), "colour": rate(colours), "letter": rate(letters), "word": rate(words)}


def rate(right):
    low, high = wilson(int(np.sum(right)), len(right))
    return {"rate": float(np.mean(right)), "low": low, "high": high, "examples": len(right)}


def measure_vae(pipe, count=200):
    """What the VAE's round trip loses: PSNR in dB of whole pictures, and the letters that are still read right."""
    scenes, signs = zip(*(scene_with_sign(seed) for seed in range(HELD_OUT, HELD_OUT + count)), strict=True)
    pictures = [render(scene) for scene in scenes]
    returned = []
    for start in range(0, count, 20):
        pixels = as_tensor(pictures[start : start + 20]).to(pipe.vae.device, pipe.vae.dtype)
        with torch.inference_mode():
            decoded = pipe.vae.decode(pipe.vae.encode(pixels).latent_dist.mean).sample.float().cpu()
        returned += pipe.image_processor.postprocess(decoded)
    errors = [np.mean((np.float64(a) - np.float64(b)) ** 2) for a, b in zip(pictures, returned, strict=True)]
    psnr = 10 * np.log10(255**2 / np.array(errors))
    right = []
    for sign, chances in zip(signs, load_reader().letter_chances(returned, signs), strict=True):
        word = spell(chances)
        right += [place < len(word) and word[place] == letter for place, letter in enumerate(sign.word)]
    return {"psnr_db": {"mean": float(psnr.mean()), "least": float(psnr.min())}, "letter": rate(right)}


def measure_scales(pipe, count):
    """Success rates over guidance scales, on tuning seeds: {scale: {task: rate}}."""
    table = {}
    for scale in SCALES:
        table[str(scale)] = {
            task: evaluate(pipe, task, count, first_seed=900_000, true_cfg_scale=scale)["success"]["rate"]
            for task in ("fill", "text", "extend")
        }
        print(f"true CFG {scale}: {table[str(scale)]}", flush=True)
    return table


def ceiling(task, count):
    """The score of the ground truth itself: what the oracle gives a perfect model."""
    examples = [example(task, seed) for seed in range(HELD_OUT, HELD_OUT + count)]
    return summarise(score_all(examples, [e.target for e in examples]))["success"]


def measure_model(name, count, tuning_count):
    pipe = load_pipeline(name)
    pipe.set_progress_bar_config(disable=True)
    figures = {"vae": measure_vae(pipe), "scales on tuning seeds": measure_scales(pipe, tuning_count)}
    figures["settings"] = {key: value for key, value in pipe.settings.items()}
    figures["tasks"] = {}
    for task in TASKS:
        figures["tasks"][task] = evaluate(pipe, task, count) | {"truth itself": ceiling(task, count)}
        print(task, json.dumps(figures["tasks"][task]["success"]), flush=True)
    return figures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", help="reader, or a pipeline's name")
    parser.add_argument("--examples", type=int, default=200, help="held-out examples of each task")
    parser.add_argument(
        "--tuning-examples", type=int, default=100, help="tuning examples of each task and guidance scale"
    )
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    command = " ".join(["python -m onereward_nb.postcards.measure", *sys.argv[1:]])
    reading = args.what == "reader"
    figures = measure_reader() if reading else measure_model(args.what, args.examples, args.tuning_examples)
    out = args.out or models_folder().parent / "results" / f"{'postcard-' * reading}{args.what}.json"
    write_json(out, {"command": command, **figures})
    print(f"written to {out}")


if __name__ == "__main__":
    main()
