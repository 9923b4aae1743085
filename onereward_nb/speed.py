"""What makes a full-size pipeline faster: the fastest attention, compiled blocks, 8-bit floating point.

The first two compute the same in another order, so pictures change by rounding only. 8 bits change them more. All three
work on the transformer of a pipeline, in place.
"""

from functools import partial

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from packaging.requirements import Requirement
from torch.utils.benchmark import Timer

from .environment import installed
from .hub import ModelUnavailable

# exact attention, by diffusers' names: FlashAttention 3 where its package is installed, then what comes with torch
_ATTENTION = ("_flash_3", "_native_cudnn", "_native_flash", "native")
_FP8 = Requirement("torchao>=0.15")


def fastest_attention(pipe, tokens=4608):
    """Try each exact way to compute attention on this device, let the transformer use the fastest, and name it.

    tokens: of picture and text together, by default those of 1024x1024 pixels and the longest prompt.
    """
    transformer, device = pipe.transformer, pipe._execution_device
    shape = (3, 1, tokens, transformer.config.num_attention_heads, transformer.config.attention_head_dim)
    inputs = tuple(torch.randn(shape, device=device, dtype=transformer.dtype))
    seconds = {}
    for name in _ATTENTION:
        attend = partial(dispatch_attention_fn, *inputs, backend=name)
        try:
            transformer.set_attention_backend(name)  # refuses what is not installed
            seconds[name] = Timer("attend()", globals={"attend": attend}).timeit(10).mean
        except (RuntimeError, ValueError, TypeError, ImportError):
            continue  # this device or number format does not have it
    best = min(seconds, key=seconds.get)
    transformer.set_attention_backend(best)
    return best


def compile_blocks(pipe, **options):
    """Compile the blocks that the transformer repeats, once for each kind.

    The first edit takes longer; so does the first of another size, or with another number of branches. On a CPU they are
    only traced: nothing would be gained there.
    options: torch.compile's.
    """
    backend = "inductor" if pipe._execution_device.type == "cuda" else "eager"
    torch._dynamo.config.recompile_limit = 64  # else it gives up, silently, after a few sizes
    for block in _blocks(pipe):
        # Not block.compile(), as diffusers' compile_repeated_blocks does: where a step cache hooks into the blocks, that
        # compiles the hooks too, for each block anew.
        block.forward = torch.compile(block.forward, **{"backend": backend, "dynamic": False, **options})


def round_to_fp8(pipe):
    """Let the blocks multiply in 8-bit floating point, by torchao: weights for good, what flows between them each time.

    The modulation by the timestep stays as it is. Cannot be undone.

    Raises ModelUnavailable without torchao, or on a GPU before Ada and Hopper, which have no such arithmetic.
    """
    version = installed(_FP8.name)
    if version is None or not _FP8.specifier.contains(version, prereleases=True):
        raise ModelUnavailable(f'8-bit floating point needs the package torchao: pip install "{_FP8}"')
    device = pipe._execution_device
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        raise ModelUnavailable(
            "8-bit floating point needs a GPU of compute capability 8.9 (Ada, Hopper) or newer."
        )
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_

    config = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow(), set_inductor_config=False)
    for block in _blocks(pipe):
        quantize_(
            block, config, lambda layer, name: isinstance(layer, torch.nn.Linear) and "norm" not in name
        )


def _blocks(pipe):
    return [*pipe.transformer.transformer_blocks, *pipe.transformer.single_transformer_blocks]
