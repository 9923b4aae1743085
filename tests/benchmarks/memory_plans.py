"""GPU and system memory and seconds of each memory plan at full size, on a GPU that is made to look smaller.

    python tests/benchmarks/memory_plans.py --out plans.json [--plans resident int8] [--caps 39 23 15]

FLUX.1-Fill's architecture with random weights, 34 GB, is written to a folder as the hub has it, once. Then each plan loads
it in a process of its own, that may take only so many GiB of the GPU, and makes two edits with true CFG at 1024x1024
pixels: the first encodes its prompts, the second finds them encoded. Results go to the file one by one. Where a plan took
more under a larger cap, it is not tried under a smaller one.

Without a GPU, or with --tiny, the architecture is tiny, nothing is capped, and the figures mean nothing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import torch
from diffusers import FluxFillPipeline

import onereward_nb as onr
from onereward_nb import files, full_size, stand_in
from onereward_nb.models import ready
from onereward_nb.plans import PLANS

MODEL = replace(
    onr.MODELS["onereward"], transformer=None
)  # OneReward's settings, all files in one repository
GIB = 2**30
COLUMNS = (
    "GPU, GiB",
    "GPU, reserved, GiB",
    "system, GiB",
    "loading, s",
    "first edit, s",
    "second edit, s",
)


def main():
    arguments = parse()
    if arguments.edit:
        print(json.dumps(edit(arguments)))
    elif arguments.write:
        write(arguments)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            arguments.folder = arguments.folder or temporary
            measure(arguments)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", help="a JSON file for the result")
    parser.add_argument("--tiny", action="store_true", help="a tiny architecture on the CPU")
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=[*PLANS])
    parser.add_argument("--caps", nargs="+", type=float, default=[39, 23, 15], metavar="GIB")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--size", type=int, help="side of the picture in pixels: 1024, or 64 where tiny")
    parser.add_argument("--limit", type=float, default=240, help="seconds that a plan may take under one cap")
    parser.add_argument(
        "--folder", help="where the weights are written to, or lie since before; by default temporary"
    )
    # what the processes of this one are asked for
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--edit", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.tiny |= not torch.cuda.is_available()
    arguments.size = arguments.size or (64 if arguments.tiny else 1024)
    return arguments


def measure(arguments):
    """Each plan under each cap, the largest first."""
    result = {
        "command": " ".join(["python", "tests/benchmarks/memory_plans.py", *sys.argv[1:]]),
        "device": "a tiny model on the CPU" if arguments.tiny else torch.cuda.get_device_name(),
        "versions": {name: metadata.version(name) for name in ("torch", "diffusers", "transformers")},
        "size": arguments.size,
        "steps": arguments.steps,
        "plans": {name: {} for name in arguments.plans},
    }
    if not (Path(arguments.folder) / MODEL.base / "model_index.json").is_file():
        answer = child(arguments, "--write")
        if "not measured" in answer:
            sys.exit(f"The weights could not be written to {arguments.folder}: {answer['not measured']}")
    print(f"{'plan':10}{'cap, GiB':>10}" + "".join(f"{column:>22}" for column in COLUMNS))
    for name, found in result["plans"].items():
        for cap in sorted(arguments.caps, reverse=True):
            found[f"{cap:g}"] = too_small(cap, found) or child(arguments, "--edit", name, str(cap))
            print(line(name, cap, found[f"{cap:g}"]), flush=True)
            if arguments.out:
                files.write_json(arguments.out, result)


def too_small(cap, found):
    """Why a cap need not be tried, by what was found under larger ones; None if it has to be."""
    for larger, row in found.items():
        if row.get("out of memory"):
            return {**row, "not measured": f"out of memory under {larger} GiB"}
        if (row.get("GPU, GiB") or 0) > cap:
            return {"not measured": f"it took {row['GPU, GiB']:.1f} GiB under {larger}"}
    return None


def line(name, cap, row):
    start = f"{name:10}{cap:>10g}"
    if "not measured" in row:
        return f"{start}   not measured: {row['not measured']}"
    return start + "".join(
        f"{'-' if row[each] is None else format(row[each], '.1f'):>22}" for each in COLUMNS
    )


def child(arguments, *request):
    """What a process of its own answers to a request: its last line, or why it has none."""
    tiny = ["--tiny"] if arguments.tiny else []
    settings = ["--folder", arguments.folder, "--size", str(arguments.size), "--steps", str(arguments.steps)]
    command = [sys.executable, __file__, *request, *settings, *tiny]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit)
    except subprocess.TimeoutExpired:
        return {"not measured": f"it took more than {arguments.limit:g} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    said = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
    return {"not measured": said[-1], "out of memory": "OutOfMemoryError" in done.stderr}


def write(arguments):
    """The weights, as the hub has them."""
    if arguments.tiny:
        parts = stand_in.components()
    else:
        parts = stand_in.components(stand_in.full_size_parts, device="cuda", dtype=torch.bfloat16)
    FluxFillPipeline(**parts).save_pretrained(Path(arguments.folder) / MODEL.base)
    print(json.dumps({}))


def edit(arguments):
    """Two edits by one plan under one cap: memory and seconds."""
    import resource  # Windows has none

    name, cap = arguments.edit
    device = torch.device("cpu" if arguments.tiny else "cuda")
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, float(cap) * GIB / total))
    folders = {MODEL.base: Path(arguments.folder) / MODEL.base}
    dtype = torch.float32 if arguments.tiny else torch.bfloat16
    example = onr.postcards.example("fill", seed=1, size=arguments.size)

    def seconds(function, *more, **options):
        start = time.perf_counter()
        value = function(*more, **options)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start, value

    with tempfile.TemporaryDirectory() as prompts:
        loading, pipe = seconds(full_size.load, MODEL, PLANS[name], folders, device, dtype, prompts)
        pipe = ready(pipe, MODEL, PLANS[name])
        pipe.set_progress_bar_config(disable=True)
        inputs = (pipe, "fill", example.image, example.mask, example.prompt)
        first, second = (
            seconds(onr.run_task, *inputs, num_inference_steps=arguments.steps)[0] for _ in range(2)
        )
    on_gpu = device.type == "cuda"
    return {
        "GPU, GiB": torch.cuda.max_memory_allocated() / GIB if on_gpu else None,
        "GPU, reserved, GiB": torch.cuda.max_memory_reserved() / GIB if on_gpu else None,
        # kilobytes on Linux, of files too that the system maps and could drop
        "system, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB,
        "loading, s": loading,
        "first edit, s": first,
        "second edit, s": second,
    }


if __name__ == "__main__":
    main()
