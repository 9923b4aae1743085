"""Run by test_rl_runs in two processes that share one policy, each on edits of its own."""

import sys
from argparse import Namespace
from pathlib import Path

import torch
from objectives import Darker, darkness, tiny_edits, tiny_pipe

from onereward_nb.lora import add_lora
from onereward_nb.postcards.train.rewarded import RewardedRun
from onereward_nb.rl import Algorithm1, Algorithm2, Settings

torch.set_num_threads(1)
out = Path(sys.argv[1])


def flat(weights):
    return torch.cat([weight.detach().flatten() for weight in weights])


def learn(make, lora):
    """What a process has in the end: weights, average, reference, the edits that it saw."""
    args = Namespace(out=out / f"{make.__name__}{lora}", minutes=1e6, lr=1e-3, batch=2, seed=0, device="cpu")
    args.iterations, args.measure_every = 4, 2
    run = RewardedRun(args)
    pipe, judge = tiny_pipe(), Darker()
    if lora:
        add_lora(pipe, rank=2)  # with random numbers that differ from process to process
    algorithm = make(pipe, judge, Settings(steps=2, t_range=(0.5, 1.0)))
    edits = {"removal": tiny_edits(pipe, count=4, seed=10 * run.accelerator.process_index)}

    def measure():
        score = darkness(algorithm.rollout, edits["removal"])
        return {"removal": {"removal quality": {"mean": score}, "success": {"rate": score}}}

    run.prepare(algorithm, measure, keep=lambda: None)
    run.learn(edits)
    return {
        "weights": flat(algorithm.trained),
        "average": flat(algorithm.ema),
        "reference": flat(algorithm.reference),
        "pictures": judge.seen[-1][0],
        "score": run.scores[-1],
        "process": run.accelerator.process_index,
    }


records = [learn(make, lora) for make in (Algorithm1, Algorithm2) for lora in (False, True)]
torch.save(records, out / f"process-{records[0]['process']}.pt")
