"""Memory plans: the ways to fit a full-size pipeline into a GPU, and the best one that fits.

A pipeline is four parts: two text encoders (CLIP and T5), the transformer, the VAE. A plan says in how many bits they
are kept and when each is on the GPU. What it needs is estimated: parameters times bytes, plus the working memory that
diffusers' documentation publishes for FLUX.1 [dev] at 1024x1024 pixels. Nothing here was measured on your machine.
"""

from dataclasses import dataclass
from functools import cache

import torch
from packaging.requirements import Requirement

from .catalogue import Catalogue
from .environment import installed
from .hub import ModelUnavailable

# GB beyond the weights, at 1024x1024: what a prediction of the transformer takes (FLUX.1 [dev] in bf16 with model
# offload peaks at 23.3 GiB, its transformer has 22.2), what the VAE takes to decode (resident: 36.2 GiB, with weights
# of 31.4), one group of layers that is on its way to the GPU (0.56 GiB, by leaf), CUDA itself, and the Python process
_PREDICTION, _DECODING, _LAYERS, _CUDA, _PROCESS = 1.2, 5.2, 0.6, 0.6, 4.0

_INT8, _NF4 = 1.0, 0.5 + 4 / 64  # bytes a weight; NF4 has a float32 scale for each 64 weights


@dataclass(frozen=True)
class Plan:
    """One way to hold a pipeline.

    does: how, and what it costs.
    placement: "resident", all on the GPU; "offload", each part for its turn; "layers", each layer for its turn.
    weight_bytes: of each quantized weight; None keeps the transformer in 16 bits.
    frees_encoders: whether prompts are encoded first and their encoders then leave memory. They come back, beside the
        transformer, for a prompt that was never encoded before.
    package: an optional one that it needs, with the version that diffusers and transformers want.
    """

    name: str
    does: str
    placement: str
    weight_bytes: float | None = None
    frees_encoders: bool = False
    package: str | None = None

    @property
    def settings(self):
        """Arguments of the pipeline that go with it: predictions one after the other take half the memory."""
        return {} if self.placement == "resident" else {"batched_cfg": False}


PLANS = Catalogue(
    "memory plan",
    [  # from the best to the one that needs the least of the GPU
        Plan("resident", "all in 16 bits on the GPU, where nothing is moved", "resident"),
        Plan("offload", "all in 16 bits, each part moved to the GPU for its turn", "offload"),
        Plan(
            "int8",
            "the transformer rounded to 8 bits, each part moved to the GPU for its turn",
            "offload",
            weight_bytes=_INT8,
            package="torchao>=0.15",
        ),
        Plan(
            "nf4",
            "transformer and T5 rounded to 4 bits on the GPU, T5 only while a new prompt is encoded",
            "resident",
            weight_bytes=_NF4,
            frees_encoders=True,
            package="bitsandbytes>=0.46.1",
        ),
        Plan("layers", "all in 16 bits, each layer moved to the GPU in every step", "layers"),
    ],
)


@dataclass(frozen=True)
class Needs:
    """GB of memory of the GPU and of the system at the peak, estimated."""

    gpu: float
    system: float


@cache
def parameters():
    """How many parameters each part of FLUX.1-Fill has: {part: (all, those that can be quantized)}.

    Counted on its architecture, which is built without memory for its weights. The matrices `wo` of T5 overflow in
    few bits, so libraries keep them.
    """
    from .stand_in import full_size_parts

    with torch.device("meta"):
        parts = full_size_parts()
    return {name: (part.num_parameters(), _quantizable(part)) for name, part in parts.items()}


def _quantizable(part):
    layers = part.named_modules()
    return sum(
        layer.weight.numel()
        for name, layer in layers
        if isinstance(layer, torch.nn.Linear) and not name.endswith(".wo")
    )


def text_dtype(dtype):
    """The number format of T5 beside a transformer in `dtype`: float16 is too narrow for its activations."""
    return torch.float32 if dtype == torch.float16 else dtype


def moments(plan, dtype=torch.bfloat16):
    """What is on the GPU in each moment of an edit: {moment: {part: GB}}, estimated, for unquantized weights of `dtype`.

    The moments: prompts are encoded, velocities are predicted, latents are decoded. Beside the weights stands what they
    work in, CUDA itself included.
    """
    parts, wide = _weights(plan, dtype), dtype.itemsize / 2
    predicting = _PREDICTION * wide * (2 if plan.placement == "resident" else 1)
    working = {"encoding": 0, "predicting": predicting, "decoding": _DECODING * wide}
    turns = dict(zip(working, ("text encoders", "transformer", "VAE"), strict=True))
    found = {}
    for moment, memory in working.items():
        if plan.placement == "layers":
            there = {turns[moment]: _LAYERS * wide}
        elif plan.placement == "offload":
            there = {turns[moment]: parts[turns[moment]]}
        elif plan.frees_encoders and moment != "encoding":
            there = {part: parts[part] for part in ("transformer", "VAE")}
        else:
            there = parts
        found[moment] = {**there, "working memory": memory + _CUDA}
    return found


def needs(plan, dtype=torch.bfloat16):
    """The `Needs` of a plan whose unquantized weights are of `dtype`."""
    gpu = max(sum(there.values()) for there in moments(plan, dtype).values())
    # what is rounded to 4 bits goes to the GPU weight by weight; all else passes through system memory or stays there
    system = 0 if plan.frees_encoders else sum(_weights(plan, dtype).values())
    return Needs(gpu, system + _PROCESS)


def _weights(plan, dtype):
    """GB of the weights of each part."""

    def gigabytes(part, bits, quantized=None):
        every, some = parameters()[part]
        return ((every - some) * bits.itemsize + some * (quantized or bits.itemsize)) / 1e9

    rounded_text = plan.weight_bytes if plan.frees_encoders else None
    t5 = gigabytes("text_encoder_2", text_dtype(dtype), rounded_text)
    return {
        "text encoders": gigabytes("text_encoder", dtype) + t5,
        "transformer": gigabytes("transformer", dtype, plan.weight_bytes),
        "VAE": gigabytes("vae", dtype),
    }


def obstacle(plan, machine, gpu, dtype=torch.bfloat16):
    """What keeps a plan from this machine and GPU, in words and figures; None if nothing does."""
    need = needs(plan, dtype)
    if need.gpu > gpu.memory:
        return f"it needs about {need.gpu:.1f} GB of GPU memory, this GPU has {gpu.memory:.1f}"
    if need.system > machine.memory:
        return f"it needs about {need.system:.1f} GB of system memory, this machine has {machine.memory:.1f}"
    if plan.name == "int8" and dtype != torch.bfloat16:
        return f"torchao's 8 bits go with bfloat16, and this would be {str(dtype).removeprefix('torch.')}"
    if plan.package:
        wanted = Requirement(plan.package)
        version = installed(wanted.name)
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            return f'it needs the package {wanted.name}: pip install "{wanted}"'
    return None


def choose(machine, gpu, dtype=torch.bfloat16, memory="auto"):
    """The plan to take on this machine and GPU (an `environment.Machine` and one of its `Gpu`s).

    memory: the name of a plan, or "auto" for the best one that nothing keeps from here.

    Raises ValueError for an unknown plan; ModelUnavailable, with the figures, where it cannot be had, or none can.
    """
    obstacles = {plan.name: obstacle(plan, machine, gpu, dtype) for plan in PLANS.values()}
    possible = [name for name, why in obstacles.items() if why is None]
    if memory == "auto":
        if possible:
            return PLANS[possible[0]]
        each = "; ".join(f"{name!r}: {why}" for name, why in obstacles.items())
        raise ModelUnavailable(
            f"No memory plan fits {gpu} and {machine.memory:.1f} GB of system memory (estimated, not measured). {each}."
        )
    plan = PLANS[memory]
    if obstacles[memory]:
        others = ", ".join(map(repr, possible)) or "none"
        raise ModelUnavailable(
            f"The memory plan {memory!r} is not possible here: {obstacles[memory]} (estimated, not measured). "
            f"Plans that are: {others}."
        )
    return plan


def report(plan, machine, gpu, dtype=torch.bfloat16):
    """Which plan this is, what it is expected to need, and what keeps the better ones away."""
    need = needs(plan, dtype)
    lines = [
        f"Memory plan: {plan.name}: {plan.does}.",
        f"Expected at 1024x1024 (estimated, not measured): {need.gpu:.1f} of {gpu.memory:.1f} GB of GPU memory, "
        f"{need.system:.1f} of {machine.memory:.1f} GB of system memory.",
    ]
    names = list(PLANS)
    for name in names[: names.index(plan.name)]:
        why = obstacle(PLANS[name], machine, gpu, dtype)
        lines.append(f"Better: {name!r}, but {why}." if why else f"Better: memory={name!r}.")
    return "\n".join(lines)
