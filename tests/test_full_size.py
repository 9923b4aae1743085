"""Full-size pipelines on tiny repositories in the layout of the hub's: each memory plan, and prompts encoded once."""

import numpy as np
import pytest
import torch
from fake_hub import httpx
from safetensors.torch import load_file
from tiny import quiet, random_mask, random_picture
from transformers import CLIPTextModel, T5EncoderModel

import onereward_nb as onr
from onereward_nb import MODELS, encoded, full_size, hub, load_pipeline
from onereward_nb.__main__ import main
from onereward_nb.hub import ModelUnavailable
from onereward_nb.models import obstacle_to, ready
from onereward_nb.plans import PLANS, Plan
from onereward_nb.preparation import Text
from onereward_nb.stand_in import components

FULL_SIZE = ["flux-fill", "onereward", "onereward-dynamic", "onereward-removal-lora"]
CPU = torch.device("cpu")
EXACT = ["resident", "offload", "layers"]
FREES_ENCODERS = Plan("free", "as nf4, unrounded", "resident", frees_encoders=True)


def edited(pipe, prompt="a ball", **more):
    arguments = {"num_inference_steps": 2, "prompt": prompt, **more}
    return np.asarray(onr.run_task(quiet(pipe), "fill", random_picture(), random_mask(), **arguments))


def load(name, plan, dtype=torch.float32):
    """A pipeline as load_pipeline makes it, on the CPU."""
    model, plan = MODELS[name], PLANS[plan] if isinstance(plan, str) else plan
    folders = hub.download(full_size.files_of(model))
    return ready(full_size.load(model, plan, folders, CPU, dtype), model, plan)


def reference(seed):
    """The same model put together by hand."""
    return onr.FluxFillCFGPipeline(**components() | {"transformer": components(seed=seed)["transformer"]})


# --- what is loaded


@pytest.mark.parametrize(("name", "seed"), [("flux-fill", 0), ("onereward", 1), ("onereward-dynamic", 2)])
def test_each_model_is_put_together_from_its_repositories(hub_server, gpu, name, seed):
    placed = gpu(80)
    loaded = load_pipeline(name, dtype=torch.float32)
    assert placed == ["to"]
    assert loaded.settings == MODELS[name].settings and loaded.default_size == 1024
    assert loaded.quick == {}
    by_hand = reference(seed)
    by_hand.settings = loaded.settings
    np.testing.assert_array_equal(edited(loaded), edited(by_hand))


def test_only_what_is_needed_is_downloaded(hub_server, gpu, tmp_path):
    gpu(80)
    load_pipeline("onereward")
    files = {
        path.relative_to(tmp_path / "home" / "hub").parts
        for path in (tmp_path / "home" / "hub").glob("*/snapshots/**/*")
    }
    parts = {names[3] for names in files if len(names) == 4 and "FLUX" in names[0]}
    assert parts == {
        "model_index.json",
        "scheduler",
        "text_encoder",
        "text_encoder_2",
        "tokenizer",
        "tokenizer_2",
        "vae",
    }
    assert {names[3] for names in files if len(names) == 4 and "OneReward" in names[0]} == {
        "flux.1-fill-dev-OneReward-transformer"
    }
    hub_server.requests.clear()
    load_pipeline("onereward")
    assert not hub_server.requests


def test_what_the_hub_refuses_is_explained(hub_server, gpu):
    gpu(80)
    hub_server.refuse("/auth-check", 403, "GatedRepo")
    with pytest.raises(ModelUnavailable, match="accept its licence"):
        load_pipeline("flux-fill")


@pytest.mark.parametrize("name", FULL_SIZE)
def test_without_gpu(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in (None, "cpu", "cuda"):
        with pytest.raises(ModelUnavailable, match=rf"'{name}' needs an NVIDIA GPU.*postcard-fill"):
            load_pipeline(name, device)


def test_on_another_device_than_the_gpus_that_are_here(gpu):
    gpu(80)
    for device in ("cpu", "cuda:1"):
        with pytest.raises(
            ModelUnavailable, match=rf"device is '{device}': leave it out, or name one of the 1"
        ):
            load_pipeline("onereward", device)
    with pytest.raises(ModelUnavailable, match="device is 'cuda:1', and PyTorch finds no such GPU"):
        load_pipeline("postcard-fill", "cuda:1")


# --- the plan


def test_the_plan_is_chosen_and_named(hub_server, gpu, capsys):
    placed = gpu(30)
    loaded = load_pipeline("onereward")
    assert placed == ["enable_model_cpu_offload"]
    assert loaded.transformer.dtype == loaded.text_encoder_2.dtype == torch.bfloat16
    assert loaded.settings == {**MODELS["onereward"].settings, "batched_cfg": False}
    said = capsys.readouterr().out
    assert (
        "Memory plan: offload" in said
        and "25.6 of 30.0 GB of GPU memory" in said
        and "'resident', but" in said
    )


def test_a_plan_can_be_asked_for(hub_server, gpu):
    placed = gpu(80)
    load_pipeline("onereward", memory="layers")
    assert placed == ["enable_group_offload"]
    with pytest.raises(ValueError, match="no memory plan 'int4'"):
        load_pipeline("onereward", memory="int4")


def test_a_gpu_that_is_too_small_is_refused_before_the_hub_is_asked(hub_server, gpu):
    gpu(4)
    with pytest.raises(ModelUnavailable, match=r"No memory plan fits .*'layers': it needs about 6\.4 GB"):
        load_pipeline("onereward")
    assert not hub_server.requests


@pytest.mark.parametrize(
    ("gigabytes", "words"),
    [
        (30, "memory plan 'offload': all in 16 bits, each part moved"),
        (4, "'layers': it needs about 6.4 GB of GPU"),
    ],
)
def test_the_doctor_says_which_plan_or_what_keeps_it(gpu, capsys, gigabytes, words):
    gpu(gigabytes)
    main(["doctor"])
    said = capsys.readouterr().out
    for name in FULL_SIZE:
        of_this = " ".join(said.partition(f" {name} ")[2].split())
        assert of_this.startswith(
            MODELS[name].does + (" memory plan" if gigabytes == 30 else " No memory plan")
        )
        assert words in of_this


def test_obstacles_name_the_figures(gpu):
    gpu(4)
    assert "No memory plan fits" in obstacle_to(MODELS["onereward"])
    assert "20 GB or more, this has 4" in obstacle_to(MODELS["qwen2.5-vl-7b"])
    gpu(80)
    assert obstacle_to(MODELS["onereward"]) is obstacle_to(MODELS["qwen2.5-vl-7b"]) is None


def test_old_gpus_take_float16_and_keep_t5_out_of_it(hub_server, gpu):
    gpu(34, capability=(7, 0))
    loaded = load_pipeline("onereward")
    assert loaded.transformer.dtype == loaded.vae.dtype == loaded.text_encoder.dtype == torch.float16
    assert loaded.text_encoder_2.dtype == torch.float32
    for tensor in loaded.encode("a ball").values():
        assert tensor.dtype == torch.float16


@pytest.mark.parametrize("plan", EXACT)
def test_the_plans_that_round_nothing_make_the_same_pictures(hub_server, plan):
    expected = reference(seed=1)
    expected.settings = {
        **MODELS["onereward"].settings,
        "batched_cfg": "batched_cfg" not in PLANS[plan].settings,
    }
    pipe = load("onereward", plan)
    for prompt in ("a ball", "a house"):  # twice: parts go back to where they wait
        np.testing.assert_array_equal(edited(pipe, prompt), edited(expected, prompt))


@pytest.mark.parametrize("plan", EXACT)
def test_the_lora_for_removal(hub_server, plan):
    plain, tuned = (load(name, plan) for name in ("onereward", "onereward-removal-lora"))
    assert tuned.get_active_adapters() == ["onereward-removal-lora"]
    assert (edited(tuned) != edited(plain)).any()
    tuned.disable_lora()
    np.testing.assert_array_equal(edited(tuned), edited(plain))


@pytest.mark.parametrize(("plan", "package"), [("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_rounded_weights_make_nearly_the_same_latents(hub_server, plan, package, monkeypatch):
    pytest.importorskip(package)
    monkeypatch.setattr(
        torch.cuda, "is_available", lambda: True
    )  # else diffusers rounds to 4 bits on no device
    exact, rounded = (load("onereward-removal-lora", name, torch.bfloat16) for name in ("resident", plan))
    kinds = {type(weight).__name__ for weight in rounded.transformer.parameters()}
    assert kinds == {"Parameter", {"int8": "Int8Tensor", "nf4": "Params4bit"}[plan]}
    pictures = [edited(pipe, paste=None).astype(float) for pipe in (exact, rounded)]
    assert 0 < np.abs(pictures[0] - pictures[1]).mean() < 4
    assert (rounded.text_encoder_2 is None) == PLANS[plan].frees_encoders


# --- prompts


@pytest.fixture
def frugal(hub_server, monkeypatch):
    """A pipeline that frees its encoders, and how often it loaded them."""
    loads = []

    def encoders(base, device, dtype):
        loads.append(device)
        return tuple(
            kind.from_pretrained(base / part, dtype=dtype)
            for kind, part in ((CLIPTextModel, "text_encoder"), (T5EncoderModel, "text_encoder_2"))
        )

    monkeypatch.setattr(full_size, "_encoders", encoders)
    return lambda: load("onereward", FREES_ENCODERS), loads


def test_prompts_are_encoded_first_and_the_encoders_freed(frugal):
    make, loads = frugal
    pipe = make()
    assert pipe.text_encoder is pipe.text_encoder_2 is None
    assert len(loads) == 1  # for all fixed prompts
    onr.run_task(quiet(pipe), "removal", random_picture(), random_mask(), num_inference_steps=1)
    onr.run_task(pipe, "extend-no-prompt", random_picture(), random_mask(), num_inference_steps=1)
    assert len(loads) == 1
    make()
    assert len(loads) == 1  # nor for a pipeline loaded later
    expected = reference(seed=1)
    expected.settings = pipe.settings
    np.testing.assert_array_equal(
        edited(pipe, "a prompt that is new"), edited(expected, "a prompt that is new")
    )
    assert len(loads) == 2 and pipe.text_encoder is pipe.text_encoder_2 is None


def test_encoders_are_freed_after_an_error_too(frugal, monkeypatch):
    make, _ = frugal
    pipe = make()
    monkeypatch.setattr(encoded.FluxFillCFGPipeline, "encode_prompt", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pipe.encode("a prompt that is new")
    assert pipe.text_encoder is pipe.text_encoder_2 is None


def test_a_prompt_is_encoded_once(hub_server, monkeypatch):
    pipe = load("onereward", "resident")
    first = pipe.encode(["a ball", "a house"], negative_prompt="nsfw")
    again = load("onereward-dynamic", "resident")  # another transformer, the same encoders
    monkeypatch.setattr(again.text_encoder_2, "forward", lambda *_, **__: pytest.fail("encoded again"))
    second = again.encode(["a ball", "a house"], negative_prompt="nsfw")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(again.encode("a house")["prompt_embeds"], first["prompt_embeds"][1:])


@pytest.mark.parametrize("damage", [b"", b"not safetensors", None], ids=["empty", "other", "cut short"])
def test_a_broken_file_is_made_again(hub_server, damage):
    pipe = load("onereward", "resident")
    good = pipe.encode("a ball")
    path = pipe.encoded.path("a ball", "a ball", 12)
    path.write_bytes(path.read_bytes()[:-4] if damage is None else damage)
    assert torch.equal(pipe.encode("a ball")["prompt_embeds"], good["prompt_embeds"])
    assert torch.equal(load_file(path)["embeds"], good["prompt_embeds"])
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # no temporary file stays


def test_prompts_of_other_models_revisions_encoders_and_lengths_are_kept_apart(tmp_path):
    key = {"model": "a/model", "revision": "1", "encoders": "bfloat16", "folder": tmp_path}
    others = [key | change for change in ({"model": "b/model"}, {"revision": "2"}, {"encoders": "nf4"})]
    paths = {encoded.EncodedPrompts(**each).path("a", "a", 8) for each in (key, *others)}
    kept = encoded.EncodedPrompts(**key)
    paths |= {kept.path("a", "b", 8), kept.path("b", "a", 8), kept.path("a", "a", 9)}
    assert len(paths) == 7
    text = Text(torch.rand(1, 8, 4), torch.rand(1, 3))
    kept.write(kept.path("a", "a", 8), text)
    for one, other in zip(encoded.EncodedPrompts(**key).read(kept.path("a", "a", 8)), text, strict=True):
        assert torch.equal(one, other)
    assert kept.read(kept.path("a", "b", 8)) is None


def test_a_disk_that_takes_nothing_stops_no_edit(hub_server, monkeypatch):
    pipe = load("onereward", "resident")

    def full(tensors, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encoded, "save_file", full)
    with pytest.warns(UserWarning, match=r"encoded again next time, for it was not kept: .*No space"):
        assert pipe.encode("a ball")["prompt_embeds"].shape == (1, 12, 32)


def test_without_a_network_what_was_downloaded_runs(hub_server, gpu):
    gpu(80)
    edits = [edited(load_pipeline("onereward"))]
    hub_server.refuse("/", httpx.ConnectError("no network"))
    edits.append(edited(load_pipeline("onereward")))
    np.testing.assert_array_equal(*edits)
