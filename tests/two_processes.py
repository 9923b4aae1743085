"""Run by test_two_processes in two processes: what each saw and got, of a toy, of policies, and of the fill model."""

import runpy
import sys
from argparse import Namespace
from pathlib import Path

import torch
from objectives import Darker, darkness, tiny_edits, tiny_pipe

from onereward_nb.lora import add_lora
from onereward_nb.models import MODELS
from onereward_nb.postcards import showcase
from onereward_nb.postcards.train.rewarded import RewardedRun
from onereward_nb.postcards.train.run import Run
from onereward_nb.rl import Algorithm1, Algorithm2, Settings

torch.set_num_threads(1)
out, vae = map(Path, sys.argv[1:])


def flat(weights):
    return torch.cat([weight.detach().flatten().clone() for weight in weights])


# --- a toy -----------------------------------------------------------------------------------------


def start(minutes):
    run = Run(
        Namespace(out=out / "toy", minutes=minutes, lr=0.1, batch=4, seed=0, device="cpu"),
        warmup=1,
    )
    model = torch.nn.Linear(3, 1)  # of other weights in each process, until Run has prepared it
    run.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return run


def batches_seen(run, count):
    seen = [torch.randn(4, 3) for _ in range(count)]
    for batch in seen:
        run.optimize(run.model(batch).square().mean())
    return torch.stack(seen)


run = start(minutes=1e6)
process = run.accelerator.process_index
toy = {"before": flat(run.bare_model.parameters())}
toy["batches"] = batches_seen(run, 3)
toy["after"], toy["average"] = flat(run.bare_model.parameters()), flat(run.average)
run.save()
run.accelerator.wait_for_everyone()
toy["batches after resuming"] = batches_seen(start(minutes=1e6), 2)

run = start(minutes=0.01)
run.started -= 0.3 * process  # clocks that disagree: both must still stop together
while run.share < 1:
    batches_seen(run, 1)
toy["last step"] = run.step


# --- policies that learn by reward, each process on edits of its own ---------------------------------


def learn(make, lora):
    """What a process has in the end: weights, average, reference, the edits that it saw."""
    args = Namespace(out=out / f"{make.__name__}{lora}", minutes=1e6, lr=1e-3, batch=2, seed=0, device="cpu")
    args.iterations, args.measure_every = 4, 2
    run = RewardedRun(args)
    pipe, judge = tiny_pipe(), Darker()
    if lora:
        add_lora(pipe, rank=2)  # with random numbers that differ from process to process
    algorithm = make(pipe, judge, Settings(steps=2, t_range=(0.5, 1.0)))
    edits = {"removal": tiny_edits(pipe, count=4, seed=10 * process)}

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
    }


policies = [learn(make, lora) for make in (Algorithm1, Algorithm2) for lora in (False, True)]
torch.save({"toy": toy, "policies": policies}, out / f"process-{process}.pt")

# --- the script of the fill model --------------------------------------------------------------------

MODELS["postcard-fill"].settings["num_inference_steps"] = 2  # for its samples
showcase.SHOWN = ("fill",)
words = ["--scenes", 4, "--batch", 2, "--minutes", 0.02, "--device", "cpu"]
sys.argv = ["train", "fill", *map(str, ["--vae", vae, "--out", out / "fill", *words])]
runpy.run_module("onereward_nb.postcards.train", run_name="__main__")

run.accelerator.wait_for_everyone()
run.accelerator.end_training()
