"""Seconds of one edit at full size: FLUX.1-Fill's architecture with random weights, true CFG, 1024x1024 pixels, 50 steps.

    python tests/benchmarks/full_size.py --out speed.json [--only exact fp8]

Times the loop of OneReward's own code, uncompiled and with both branches in one batch; then this project's: the ways to be
faster that compute the same, then those that change the picture. What the latter do to quality, the small model shows
(assets/results/guidance.json), for random weights have none. Rows go to the file one by one, so that a run cut short keeps
what it had; what fails says why, and the rest goes on.

Takes about 45 GB of GPU memory. Without a GPU, or with --tiny, the architecture is tiny and the figures mean nothing.
"""

import argparse
import shlex
import sys
import time
from contextlib import contextmanager
from importlib import metadata

import torch
from diffusers import FirstBlockCacheConfig, FluxFillPipeline
from diffusers.guiders import ClassifierFreeGuidance

import onereward_nb as onr
from onereward_nb import arithmetic, files, speed, stand_in
from onereward_nb.evaluation import load_results
from onereward_nb.preparation import LONGEST_PROMPT

SETTINGS = onr.MODELS["onereward"].settings
VARIANTS = {  # after the plain loop. fp8 comes last, for it cannot be undone
    "exact": (),
    "exact, branches in turn": ("in turn",),
    "cache": ("cache",),
    "interval": ("interval",),
    "interval, cache": ("interval", "cache"),
    "fp8": ("fp8",),
    "fp8, interval, cache": ("fp8", "interval", "cache"),
}
COLUMNS = {
    "seconds": ".3g",
    "ratio": ".2f",
    "passes": ".1f",
    "of data sheet": ".0%",
    "of matrix product": ".0%",
    "peak GiB": ".1f",
    "error": ".1e",
}


def main():
    arguments = parse()
    if arguments.tiny:
        device, limits = "a tiny model on the CPU", {}
        tera = arithmetic.tera_a_pass(stand_in.tiny_parts, arguments.size, stand_in.TINY_PROMPT)
    else:
        device = torch.cuda.get_device_name()
        limits = {"matrix product": arithmetic.matrix_rate(), "data sheet": arithmetic.data_sheet(device)}
        if limits["data sheet"] is None:
            print(f"How fast {device!r} is by its data sheet is unknown here: add it to arithmetic.PEAKS.")
        tera = arithmetic.tera_a_pass(stand_in.full_size_parts, arguments.size)
    result = {
        "command": shlex.join(["python", "tests/benchmarks/full_size.py", *sys.argv[1:]]),
        "device": device,
        "versions": {name: metadata.version(name) for name in ("torch", "diffusers", "transformers")},
        "size": arguments.size,
        "steps": arguments.steps,
        "TFLOP a pass": tera,
        "TFLOP/s in bf16": limits,
        "attention": None,
        "compiler's mode": arguments.mode,
        "rows": {},
    }
    print(" ".join([f"{'':24}", *(f"{column:>{len(column)}}" for column in COLUMNS)]))
    edit = Edit(arguments)

    def measure(name, make, wants=()):
        try:
            seconds, latents, passes, peak = timed(edit, make, wants)
        except Exception as error:  # whatever it is, the other rows are worth having
            if name == "plain":
                raise  # but all of them are compared with this one
            result["rows"][name] = {"not measured": f"{type(error).__name__}: {error}".partition("\n")[0]}
        else:
            edit.plain = latents if edit.plain is None else edit.plain
            rate = passes * tera / seconds
            result["rows"][name] = {
                "seconds": seconds,
                "ratio": result["rows"]["plain"]["seconds"] / seconds if name != "plain" else 1.0,
                "passes": passes,
                **{f"of {limit}": top and rate / top for limit, top in limits.items()},
                "peak GiB": peak,
                "error": float((latents - edit.plain).norm() / edit.plain.norm()),
            }
        print(line(name, result["rows"][name]), flush=True)
        if arguments.out:
            files.write_json(arguments.out, result)

    measure("plain", edit.official)
    result["attention"] = speed.fastest_attention(
        edit.pipe, tokens=(arguments.size // 16) ** 2 + LONGEST_PROMPT
    )
    speed.compile_blocks(edit.pipe, mode=arguments.mode)
    for name in arguments.only:
        measure(name, edit.ours, VARIANTS[name])
    print(f"on {device}; limits in bf16: {limits or 'none'} TFLOP/s; attention: {result['attention']}")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", help="a JSON file for the result")
    parser.add_argument("--tiny", action="store_true", help="a tiny architecture on the CPU")
    parser.add_argument("--size", type=int, help="side of the picture in pixels: 1024, or 64 where tiny")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument(
        "--only", nargs="+", choices=VARIANTS, default=[*VARIANTS], help="after the plain loop"
    )
    parser.add_argument("--mode", help="torch.compile's, e.g. max-autotune-no-cudagraphs")
    arguments = parser.parse_args()
    arguments.tiny |= not torch.cuda.is_available()
    arguments.size = arguments.size or (64 if arguments.tiny else 1024)
    return arguments


def line(name, row):
    if "not measured" in row:
        return f"{name:24} not measured: {row['not measured']}"
    values = [
        "-" if row.get(column) is None else format(row[column], form) for column, form in COLUMNS.items()
    ]
    return " ".join(
        [f"{name:24}", *(f"{value:>{len(column)}}" for value, column in zip(values, COLUMNS, strict=True))]
    )


class Edit:
    """One edit, by OneReward's own loop and by this project's. Each returns its last latents, in float32.

    plain: those of the first, once it ran.
    """

    def __init__(self, arguments):
        if arguments.tiny:
            parts = stand_in.components()
        else:
            parts = stand_in.components(stand_in.full_size_parts, device="cuda", dtype=torch.bfloat16)
        self.theirs, self.pipe = FluxFillPipeline(**parts), onr.FluxFillCFGPipeline(**parts)
        for pipe in (self.theirs, self.pipe):
            pipe.set_progress_bar_config(disable=True)
        example = onr.postcards.example("fill", seed=1, size=arguments.size)
        self.picture = {"image": example.image, "mask_image": example.mask}
        self.prompt, self.steps, self.plain, self.in_fp8 = example.prompt, arguments.steps, None, False
        self.encoded = self.pipe.encode(self.prompt, negative_prompt=SETTINGS["negative_prompt"])

    def run(self, pipe, steps, **more):
        last = {}
        pipe(
            **self.picture,
            guidance_scale=SETTINGS["guidance_scale"],
            num_inference_steps=steps or self.steps,
            generator=torch.Generator("cpu").manual_seed(0),
            callback_on_step_end=lambda pipe, step, time, tensors: last.update(tensors) or {},
            **more,
        )
        return last["latents"].float()

    @torch.no_grad()
    def official(self, wants=(), steps=None):
        """diffusers' FluxFillPipeline, whose transformer is asked for both branches in one batch, and guided.

        So does OneReward's pipeline. The prompts are encoded in every edit.
        """
        transformer, scale = self.theirs.transformer, SETTINGS["true_cfg_scale"]
        longest = {"max_sequence_length": self.theirs.tokenizer_2.model_max_length}
        embeds, pooled, _ = self.theirs.encode_prompt(SETTINGS["negative_prompt"], None, **longest)

        def guided(hidden_states, timestep, guidance, pooled_projections, encoder_hidden_states, **more):
            both = type(transformer).forward(
                transformer,
                hidden_states=torch.cat((hidden_states, hidden_states)),
                timestep=torch.cat((timestep, timestep)),
                guidance=torch.cat((guidance, guidance)),
                pooled_projections=torch.cat((pooled, pooled_projections)),
                encoder_hidden_states=torch.cat((embeds, encoder_hidden_states)),
                **more,
            )[0]
            v_neg, v_pos = both.chunk(2)
            return (v_neg + scale * (v_pos - v_neg),)

        transformer.forward = guided
        try:
            side = self.picture["image"].width
            return self.run(self.theirs, steps, prompt=self.prompt, height=side, width=side, **longest)
        finally:
            del transformer.forward

    def ours(self, wants=(), steps=None):
        """FluxFillCFGPipeline, with prompts encoded before."""
        scale = SETTINGS["true_cfg_scale"]
        arguments = {"true_cfg_scale": scale, "batched_cfg": "in turn" not in wants}
        if "interval" in wants:
            arguments = {"guider": ClassifierFreeGuidance(scale, start=0, stop=0.5)}
        return self.run(self.pipe, steps, **self.encoded, **arguments)


def timed(edit, make, wants):
    """Seconds, latents, passes of the transformer and GiB of GPU memory of an edit that was warmed up."""
    if "fp8" in wants and not edit.in_fp8:
        speed.round_to_fp8(edit.pipe)
        edit.in_fp8 = True
    cache = FirstBlockCacheConfig(threshold(edit)) if "cache" in wants else None
    make(wants, steps=2)  # compiles what has to be
    with counted(edit.pipe.transformer, cache) as passes:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        start = now()
        latents = make(wants)
        seconds = now() - start
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    return seconds, latents, sum(passes), peak


def now():
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def counted(transformer, cache=None):
    """A list of the passes that reach the last block, one entry for each call; meanwhile the step cache is on."""
    passes = []

    def count(forward, **inputs):
        passes.append(len(inputs["hidden_states"]))
        return forward(**inputs)

    with around(transformer.single_transformer_blocks[-1], count):
        if cache:
            transformer.enable_cache(cache)
        try:
            yield passes
        finally:
            if cache:
                transformer.disable_cache()


@contextmanager
def around(block, function):
    """Calls of a block become function(its forward, **inputs) for a while."""
    forward = block.forward
    block.forward = lambda **inputs: function(forward, **inputs)
    try:
        yield
    finally:
        block.forward = forward


def threshold(edit):
    """The one by which FirstBlockCache computes as large a share of the steps as it did, at 0.1, of the small model's.

    Random weights change from step to step by other amounts than trained ones: at 0.1 nearly all of their steps would be
    skipped, or none.
    """
    small = load_results("guidance")
    passes = small["sweeps"]["cache"]["first block, 0.1"]["passes"]
    share = passes / (2 * small["settings"]["num_inference_steps"])
    added = []  # by the first block, in each step

    def keep(forward, **inputs):
        text, picture = forward(**inputs)
        added.append(picture - inputs["hidden_states"])
        return text, picture

    with around(edit.pipe.transformer.transformer_blocks[0], keep):
        edit.ours()

    def computed(threshold):
        last, steps = added[0], 1
        for each in added:
            if (each - last).abs().mean() > threshold * last.abs().mean():
                last, steps = each, steps + 1
        return steps / len(added)

    low, high = 0.0, 2.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if computed(middle) > share else (low, middle)
    return high


if __name__ == "__main__":
    main()
