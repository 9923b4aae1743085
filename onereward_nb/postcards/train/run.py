"""What every training run shares: its arguments, its clock, its checkpoints and its report."""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from safetensors.torch import load_file, save_file

from ...files import write, write_json
from ...full_size import DTYPE

# how weights are opened to be trained or learned from: in float32, which small steps need, and from safetensors on disk
OPENING = {DTYPE: torch.float32, "use_safetensors": True, "local_files_only": True}


def arguments(description, **defaults):
    """The command line of a training script; more options can be added before parse_args()."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20, help="how long to train in this stretch")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, cuda or mps"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of checkpoint, log and pictures; a checkpoint there is resumed",
    )
    parser.add_argument("--scenes", type=int, help="how many training scenes to draw")
    parser.add_argument("--batch", type=int, help="examples per step and process")
    parser.add_argument("--lr", type=float, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(**defaults)
    return parser


def adamw(model, lr):
    """AdamW that lets weights decay, but neither vectors nor embeddings."""
    kept_apart, decayed = [], []
    for name, parameter in model.named_parameters():
        embedding = "embed" in name or "shared" in name  # the latter is T5's
        some = kept_apart if parameter.ndim < 2 or embedding else decayed
        some.append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": kept_apart, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr, betas=(0.9, 0.95))


class Run:
    """The clock, the log and the checkpoint of one stretch of training.

    share is how much of the stretch is over, from 0 to 1, by the main process's clock: all processes take the
    same number of steps at the same rates.

    The learning rate warms up, stays, and falls to zero over the last third of the stretch. The checkpoint
    (weights, average, optimiser, step, random state) is written every few minutes to a temporary file that is
    then renamed, so that an interrupted run loses minutes and never its checkpoint.
    """

    def __init__(self, args, warmup=300, checkpoint_every=240):
        self.args, self.warmup, self.checkpoint_every = args, warmup, checkpoint_every
        # few CPUs are quick at bf16
        self.accelerator = Accelerator(
            cpu=args.device == "cpu", mixed_precision="bf16" if args.device == "cuda" else "no"
        )
        self.device = self.accelerator.device
        # with these two kernels on, the backward pass met an illegal memory access (torch 2.11, H100 and H200)
        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.backends.cuda.enable_mem_efficient_sdp(False)
        torch.manual_seed(args.seed + self.accelerator.process_index)
        self.share, self.step, self.first_step, self.trained_before = 0.0, 0, 0, 0.0
        self.log, self.losses = [], []

    def compile(self, model):
        """Let a GPU run the model as a few large kernels; a CPU is busy enough with the small ones."""
        if self.device.type == "cuda":
            model.compile()

    def prepare(self, model, optimizer, sample=None):
        """Hand both to Accelerate; start an average of the weights; resume where there is a checkpoint.

        sample: makes a `grids.Picture` of what the model can do, which is kept beside each checkpoint.
        """
        self.sample = sample
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.bare_model = self.accelerator.unwrap_model(self.model)
        self.trained = {
            name: weight for name, weight in self.bare_model.named_parameters() if weight.requires_grad
        }
        self.average = self.start_average()
        if self.accelerator.is_main_process:
            size = sum(mean.numel() for mean in self.average) / 1e6
            processes = self.accelerator.num_processes
            print(f"{size:.1f} M parameters on {self.device.type}, processes: {processes}", flush=True)
        if (self.args.out / "checkpoint.safetensors").exists():
            self.resume()
        self.started = self.said = self.saved = time.monotonic()

    @property
    def elapsed(self):
        return time.monotonic() - self.started

    def optimize(self, loss):
        """One step of the optimiser and of the weights' average. Stops with words at a loss not finite."""
        rate = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.move_average()
        self.losses.append(loss.detach())
        self.share = self.part_over()
        if self.accelerator.num_processes > 1:
            self.share = broadcast(torch.tensor(self.share, device=self.device)).item()
        now = time.monotonic()
        due = now - self.saved > self.checkpoint_every
        if due or now - self.said > 15:
            self.said = now
            self.report()
        if due:
            self.saved = now
            self.save()

    def learning_rate(self):
        return self.args.lr * min(1, (self.step + 1) / self.warmup, max(0.0, 3 * (1 - self.share)) + 1e-3)

    def start_average(self):
        return [weight.detach().clone() for weight in self.trained.values()]

    def move_average(self):
        decay = min(0.9995, self.step / (self.step + 10))
        torch._foreach_lerp_(self.average, list(self.trained.values()), 1 - decay)

    def more_state(self):
        """Further tensors that a checkpoint must hold, by names of their own: resuming fills them."""
        return {}

    def part_over(self):
        """How much of the stretch is over, from 0 to 1."""
        return self.elapsed / (60 * self.args.minutes)

    def report(self):
        """A line of progress: the mean loss since the last one."""
        if not self.losses:
            return
        loss = torch.stack(self.losses).float().mean().item()
        self.losses.clear()
        if not math.isfinite(loss):
            self.stop(f"the loss is {loss}")
        entry = {
            "minutes": round(self.trained_before + self.elapsed / 60, 2),
            "step": self.step,
            "loss": round(loss, 5),
        }
        self.log.append(entry)
        if self.accelerator.is_main_process:
            rate = (
                (self.step - self.first_step)
                * self.args.batch
                * self.accelerator.num_processes
                / max(self.elapsed, 1e-9)
            )
            print(
                f"{entry['minutes']:7.2f} min  step {self.step:6d}  loss {loss:.4f}  {rate:.0f} examples/s",
                flush=True,
            )

    def stop(self, why, error=FloatingPointError):
        raise error(f"{why} at step {self.step}: resume from {self.args.out} with a smaller --lr")

    def finish(self):
        """Save the checkpoint and put the averaged weights into the model, which is returned bare."""
        self.report()
        self.save()
        with torch.no_grad():
            for weight, mean in zip(self.trained.values(), self.average, strict=True):
                weight.copy_(mean)
        return self.bare_model

    def check_weights(self):
        if not all(torch.isfinite(weight).all() for weight in self.trained.values()):
            self.stop("weights are not finite")

    def save(self):
        """Write the checkpoint and the log; weights that are not finite never replace good ones."""
        self.check_weights()
        if not self.accelerator.is_main_process:
            return
        tensors = {"random": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self.device)
        for (name, weight), mean in zip(self.trained.items(), self.average, strict=True):
            tensors |= {f"model.{name}": weight, f"average.{name}": mean}
            for key, value in self.optimizer.state.get(weight, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        tensors |= self.more_state()
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        notes = {"step": self.step, "minutes": self.trained_before + self.elapsed / 60, "log": self.log}
        write(
            self.args.out / "checkpoint.safetensors",
            lambda path: save_file(tensors, path, {"notes": json.dumps(notes)}),
        )
        write_json(self.args.out / "log.json", self.log)
        if self.sample:
            picture = self.sample().png()
            write(self.args.out / f"sample-{self.step:06}.png", lambda path: path.write_bytes(picture))

    def resume(self):
        path = self.args.out / "checkpoint.safetensors"
        tensors = load_file(path)
        notes = read_notes(path)
        for (name, weight), mean in zip(self.trained.items(), self.average, strict=True):
            weight.data.copy_(tensors[f"model.{name}"])
            mean.copy_(tensors[f"average.{name}"])
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if (tensor := tensors.get(f"optimizer.{key}.{name}")) is not None:
                    self.optimizer.state[weight][key] = tensor.to("cpu" if key == "step" else self.device)
        for name, tensor in self.more_state().items():
            tensor.copy_(tensors[name])
        self.step = self.first_step = notes["step"]
        self.trained_before, self.log = notes["minutes"], notes["log"]
        torch.manual_seed(self.args.seed + self.accelerator.process_index + 1000 * self.step)
        if self.accelerator.is_main_process:  # whose random state was saved; the others draw anew
            torch.set_rng_state(tensors["random"])
            if self.device.type == "cuda" and "random_cuda" in tensors:
                torch.cuda.set_rng_state(tensors["random_cuda"], self.device)
        if self.accelerator.is_main_process:
            print(f"resumed from {path} at step {self.step}", flush=True)


def read_notes(path):
    """The notes that a checkpoint carries beside its tensors."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["notes"])
