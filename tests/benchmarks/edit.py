"""Seconds for one edit, and what the pipeline adds to its bare transformer and VAE calls.

    python tests/benchmarks/edit.py [--model postcard-fill] [--size 128] [--out edit.json]

The bare calls are those that the pipeline makes: recorded in a first run, then repeated with the same
inputs. Both are timed in turn, so that a busy machine slows both. `--model random` takes random weights
of postcard-fill's shape.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from tqdm import tqdm

import onereward_nb as onr


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    pipe = random_pipeline() if arguments.model == "random" else onr.load_pipeline(arguments.model)
    pipe.set_progress_bar_config(disable=True)
    example = onr.postcards.example("fill", seed=1, size=arguments.size)

    def edit():
        onr.run_task(
            pipe,
            "fill",
            example.image,
            example.mask,
            prompt=example.prompt,
            num_inference_steps=arguments.steps,
        )

    calls = record(pipe, edit)

    @torch.no_grad()
    def bare():
        for function, args, kwargs in calls:
            function(*args, **kwargs)

    edit(), bare()  # warm up
    pairs = [
        (seconds(edit), seconds(bare)) for _ in tqdm(range(arguments.repeats), desc="Timing", disable=None)
    ]
    edits, bares = zip(*pairs, strict=True)
    result = {
        "command": " ".join(["python", "tests/benchmarks/edit.py", *sys.argv[1:]]),
        "model": arguments.model,
        "transformer parameters (M)": round(sum(p.numel() for p in pipe.transformer.parameters()) / 1e6, 2),
        "device": str(pipe.device),
        "dtype": str(pipe.transformer.dtype),
        "threads": arguments.threads,
        "size": arguments.size,
        "steps": arguments.steps,
        "calls": len(calls),
        "seconds per edit": round(statistics.median(edits), 4),
        "seconds of bare calls": round(statistics.median(bares), 4),
        "ratio": round(statistics.median(e / b for e, b in pairs), 4),
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(result, file, indent=2)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="postcard-fill", help='a name of onereward_nb.MODELS, or "random"')
    parser.add_argument("--size", type=int, default=128, help="side of the picture in pixels")
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", help="a JSON file for the result")
    return parser.parse_args()


def random_pipeline():
    from onereward_nb.postcards import architecture
    from onereward_nb.postcards.text import make_tokenizer

    vae = architecture.make_vae()
    vae.register_to_config(shift_factor=0.0)
    clip, t5 = architecture.make_text_encoders()
    pipe = onr.FluxFillCFGPipeline(
        transformer=architecture.make_transformer(),
        vae=vae,
        text_encoder=clip,
        text_encoder_2=t5,
        tokenizer=make_tokenizer(with_bos=True),
        tokenizer_2=make_tokenizer(with_bos=False),
        scheduler=architecture.make_scheduler(),
    )
    for part in (pipe.transformer, vae, clip, t5):
        part.eval()
    return pipe


def record(pipe, edit):
    """The calls of transformer and VAE in one edit: [(function, args, kwargs), ...]."""
    calls = []

    def recording(function):
        def wrapper(*args, **kwargs):
            calls.append((function, args, kwargs))
            return function(*args, **kwargs)

        return wrapper

    places = [(pipe.transformer, "forward"), (pipe.vae, "encode"), (pipe.vae, "decode")]
    for owner, name in places:
        setattr(owner, name, recording(getattr(owner, name)))
    edit()
    for owner, name in places:
        delattr(owner, name)  # uncovers the class's own
    return calls


def seconds(function):
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
