"""What makes full-size pipelines faster: it changes nothing, or what it says that it changes."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import FirstBlockCacheConfig
from diffusers.models.attention_dispatch import AttentionBackendName
from tiny import quiet, random_mask, random_picture
from torch._dynamo.utils import counters

import onereward_nb as onr
from onereward_nb import speed, stand_in
from onereward_nb.hub import ModelUnavailable


@pytest.fixture
def deep():
    """A tiny pipeline whose transformer repeats its blocks."""
    parts = stand_in.components()
    kind, config = type(parts["transformer"]), parts["transformer"].config
    torch.manual_seed(0)
    parts["transformer"] = kind.from_config({**config, "num_layers": 2, "num_single_layers": 3}).eval()
    return quiet(onr.FluxFillCFGPipeline(**parts))


@pytest.fixture
def compiler():
    """The compiler as if nothing had been compiled yet; afterwards too."""
    limit = torch._dynamo.config.recompile_limit
    torch.compiler.reset()
    counters.clear()
    yield counters
    torch._dynamo.config.recompile_limit = limit
    torch.compiler.reset()


def edited(pipe, **more):
    """The latents that an edit ends with."""
    arguments = {"prompt": "a ball", "num_inference_steps": 4, "output_type": "latent", **more}
    return np.asarray(onr.run_task(pipe, "fill", random_picture(), random_mask(), **arguments))


@pytest.fixture
def attention():
    """Attention as it was, for what a transformer takes becomes the default of all."""
    yield
    stand_in.components()["transformer"].reset_attention_backend()


def test_attention_is_exact_and_the_fastest(deep, attention, monkeypatch):
    plain, timed = edited(deep), []
    seconds = {"_native_flash": 2.0, "native": 1.0, "_native_math": 0.1}

    class Timer:
        def __init__(self, statement, globals):
            globals["attend"]()
            timed.append(globals["attend"].keywords["backend"])

        def timeit(self, number):
            return SimpleNamespace(mean=seconds[timed[-1]])

    monkeypatch.setattr(speed, "Timer", Timer)
    assert speed.fastest_attention(deep, tokens=20) == "native"
    assert timed == ["_native_flash", "native"]  # the others are not for a CPU
    processors = {block.attn.processor._attention_backend for block in speed._blocks(deep)}
    assert processors == {AttentionBackendName.NATIVE}
    seconds["_native_flash"] = 0.5
    assert speed.fastest_attention(deep, tokens=20) == "_native_flash"
    np.testing.assert_allclose(edited(deep), plain, atol=1e-4)


def test_attention_is_really_timed(deep, attention):
    assert speed.fastest_attention(deep, tokens=20) in ("native", "_native_flash")


def test_each_kind_of_block_is_compiled_once(deep, compiler):
    plain = edited(deep)
    speed.compile_blocks(deep, fullgraph=True)
    np.testing.assert_array_equal(edited(deep), plain)
    # the first of the single blocks gets tensors of another layout
    assert compiler["stats"]["unique_graphs"] == 3
    edited(deep, batched_cfg=False)
    assert compiler["stats"]["unique_graphs"] == 6


def test_a_step_cache_is_not_compiled(deep, compiler):
    deep.transformer.enable_cache(FirstBlockCacheConfig(2.0))
    expected = edited(deep)
    deep.transformer.disable_cache()
    speed.compile_blocks(deep, fullgraph=True)
    plain, graphs = edited(deep), compiler["stats"]["unique_graphs"]
    deep.transformer.enable_cache(FirstBlockCacheConfig(2.0))
    np.testing.assert_array_equal(edited(deep), expected)
    assert (expected != plain).any()
    assert compiler["stats"]["unique_graphs"] == graphs


def test_many_sizes_stay_compiled(deep, compiler):
    torch._dynamo.config.recompile_limit = 2
    speed.compile_blocks(deep, fullgraph=True)  # which refuses to go on uncompiled
    for width in (32, 48):
        inputs = (random_picture(width, 32), random_mask(width, 32))
        onr.run_task(deep, "fill", *inputs, prompt="a", num_inference_steps=1)
    assert compiler["stats"]["unique_graphs"] == 6  # of two kinds of blocks, by the same two functions
    # enough for ten sizes and both numbers of branches: two of the single blocks for each
    assert torch._dynamo.config.recompile_limit >= 40


def test_fp8_says_what_it_needs(deep, monkeypatch):
    monkeypatch.setattr(speed, "installed", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r'needs the package torchao: pip install "torchao>=0\.15"'):
        speed.round_to_fp8(deep)
    monkeypatch.setattr(speed, "installed", lambda name: "0.14")
    with pytest.raises(ModelUnavailable, match="needs the package torchao"):
        speed.round_to_fp8(deep)
    monkeypatch.setattr(speed, "installed", lambda name: "0.18")
    with pytest.raises(ModelUnavailable, match=r"compute capability 8\.9"):
        speed.round_to_fp8(deep)


def test_fp8_takes_the_large_products_of_the_blocks(deep, monkeypatch):
    monkeypatch.setattr(speed, "installed", lambda name: "0.18")
    monkeypatch.setattr(type(deep), "_execution_device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    rounded = set()

    def quantize_(block, config, choose):
        rounded.update(name for name, layer in block.named_modules() if choose(layer, name))

    module = SimpleNamespace(
        quantize_=quantize_, Float8DynamicActivationFloat8WeightConfig=dict, PerRow=lambda: "row"
    )
    monkeypatch.setitem(sys.modules, "torchao", SimpleNamespace(quantization=module))
    monkeypatch.setitem(sys.modules, "torchao.quantization", module)
    speed.round_to_fp8(deep)
    attention = {f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0", "to_add_out")}
    attention |= {f"attn.add_{name}_proj" for name in "qkv"}
    feed = {f"{name}.net.{layer}" for name in ("ff", "ff_context") for layer in ("0.proj", "2")}
    assert rounded == attention | feed | {"proj_mlp", "proj_out"}
