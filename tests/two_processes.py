"""Run by test_training in two processes that share one model, each on its own data: what each saw and got."""

import sys
from argparse import Namespace
from pathlib import Path

import torch

from onereward_nb.postcards.train.run import Run

torch.set_num_threads(1)
out = Path(sys.argv[1])


def start(minutes):
    run = Run(Namespace(out=out, minutes=minutes, lr=0.1, batch=4, seed=0, device="cpu"), warmup=1)
    model = torch.nn.Linear(3, 1)  # of other weights in each process, until Run has prepared it
    run.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    return run


def batches_seen(run, count):
    seen = [torch.randn(4, 3) for _ in range(count)]
    for batch in seen:
        run.optimize(run.model(batch).square().mean())
    return torch.stack(seen)


run = start(minutes=1e6)
record = {"before": torch.cat([p.detach().flatten().clone() for p in run.bare_model.parameters()])}
record["batches"] = batches_seen(run, 3)
record["after"] = torch.cat([p.detach().flatten().clone() for p in run.bare_model.parameters()])
record["average"] = torch.cat([mean.flatten().clone() for mean in run.average])
run.save()
run.accelerator.wait_for_everyone()
record["batches after resuming"] = batches_seen(start(minutes=1e6), 2)

run = start(minutes=0.01)
run.started -= 0.3 * run.accelerator.process_index  # clocks that disagree: both must still stop together
while run.share < 1:
    batches_seen(run, 1)
record["last step"] = run.step
torch.save(record, out / f"process-{run.accelerator.process_index}.pt")
run.accelerator.wait_for_everyone()
run.accelerator.end_training()
