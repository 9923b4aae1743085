"""What a fill model can do: the round trip of its VAE, its success rate at each task, and its best guidance scale."""

import json

import numpy as np

from ...evaluation import HELD_OUT, TUNING, evaluate, rate, summarise
from ...tasks import TASKS
from ..examples import example, scene_with_sign
from ..oracle import score_all
from ..rendering import render
from .reader import right_letters
from .text_rendering import read_words, round_trip

SCALES = (1.0, 1.5, 2.0, 3.0, 4.0)


def measure(pipe, count, tuning_count):
    figures = {"vae": measure_vae(pipe), "scales on tuning seeds": measure_scales(pipe, tuning_count)}
    figures["settings"] = dict(pipe.settings)
    figures["tasks"] = {}
    for task in TASKS:
        figures["tasks"][task] = evaluate(pipe, task, count) | {"truth itself": ceiling(task, count)}
        print(task, json.dumps(figures["tasks"][task]["success"]), flush=True)
    return figures


def measure_vae(pipe, count=200):
    """What the VAE's round trip loses: PSNR in dB of whole pictures, and the letters that are still read right."""
    scenes, signs = zip(*(scene_with_sign(seed) for seed in range(HELD_OUT, HELD_OUT + count)), strict=True)
    pictures = [render(scene) for scene in scenes]
    returned = round_trip(pipe, pictures)
    errors = [np.mean((np.float64(a) - np.float64(b)) ** 2) for a, b in zip(pictures, returned, strict=True)]
    psnr = 10 * np.log10(255**2 / np.array(errors))
    right = []
    for sign, word in zip(signs, read_words(returned, signs), strict=True):
        right += right_letters(word, sign.word)
    return {"psnr_db": {"mean": float(psnr.mean()), "least": float(psnr.min())}, "letter": rate(right)}


def measure_scales(pipe, count):
    """Success rates over guidance scales, on tuning seeds: {scale: {task: rate}}."""
    table = {}
    for scale in SCALES:
        table[str(scale)] = {
            task: evaluate(pipe, task, count, first_seed=TUNING, true_cfg_scale=scale)["success"]["rate"]
            for task in ("fill", "text", "extend")
        }
        print(f"true CFG {scale}: {table[str(scale)]}", flush=True)
    return table


def ceiling(task, count):
    """The score of the ground truth itself: what the oracle gives a perfect model."""
    examples = [example(task, seed) for seed in range(HELD_OUT, HELD_OUT + count)]
    return summarise(score_all(examples, [e.target for e in examples]))["success"]
