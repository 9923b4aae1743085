"""Tiny random models where full-size ones don't run: the layout of the hub's repositories, and one loader for both."""

import json

import numpy as np
import pytest
import torch
from tiny import quiet, random_mask, random_picture

import onereward_nb as onr
from onereward_nb import models, stand_in


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def edited(pipe):
    picture = onr.run_task(
        quiet(pipe), "fill", random_picture(), random_mask(), "a ball", num_inference_steps=2
    )
    return np.asarray(picture)


def test_repositories_are_laid_out_as_on_the_hub(repositories):
    base, onereward = (
        repositories / name for name in ("black-forest-labs/FLUX.1-Fill-dev", "bytedance-research/OneReward")
    )
    about = json.loads((base / "model_index.json").read_text())
    assert about["_class_name"] == "FluxFillPipeline"
    parts = {"scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae"}
    assert {path.name for path in base.iterdir() if path.is_dir()} == parts
    names = ("OneReward-transformer", "OneRewardDynamic-transformer", "object-removal-lora")
    assert {path.name for path in onereward.iterdir()} == {f"flux.1-fill-dev-{name}" for name in names}
    assert (onereward / "flux.1-fill-dev-object-removal-lora/pytorch_lora_weights.safetensors").is_file()
    weights = [path for path in repositories.rglob("*") if path.is_file() and path.stat().st_size > 50_000]
    assert weights and {path.suffix for path in weights} == {".safetensors"}
    assert sum(path.stat().st_size for path in repositories.rglob("*") if path.is_file()) < 10e6


def test_the_same_seed_draws_the_same_weights():
    first, again, other = (stand_in.components(seed=seed)["transformer"] for seed in (1, 1, 2))
    for a, b, c in zip(*(part.parameters() for part in (first, again, other)), strict=True):
        assert torch.equal(a, b)
        assert a.ndim == 1 or not torch.equal(a, c)


def test_weights_come_in_the_number_format_asked_for():
    before = torch.get_default_dtype()
    parts = stand_in.components(dtype=torch.bfloat16)
    assert torch.get_default_dtype() == before
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            assert {each.dtype for each in part.parameters()} == {torch.bfloat16}
            assert not part.training


def test_tiny_parts_are_of_the_same_architecture():
    with torch.device("meta"):
        large = stand_in.full_size_parts()
    small = stand_in.components()
    assert large.keys() == {name for name, part in small.items() if isinstance(part, torch.nn.Module)}
    for name, part in large.items():
        assert type(part) is type(small[name])
    for setting in ("in_channels", "out_channels", "guidance_embeds", "patch_size"):
        assert large["transformer"].config[setting] == small["transformer"].config[setting]
    for setting in ("latent_channels", "scaling_factor", "shift_factor", "use_quant_conv"):
        assert large["vae"].config[setting] == small["vae"].config[setting]


@pytest.mark.parametrize("name", ["flux-fill", "onereward", "onereward-dynamic", "onereward-removal-lora"])
def test_without_a_gpu_a_tiny_model_takes_the_place(no_gpu, capsys, name):
    pipe = stand_in.load_pipeline(name)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(
        f"{name!r} needs an NVIDIA GPU, and there is none here: a tiny model with random weights"
    )
    assert pipe.settings == onr.MODELS[name].settings and pipe.default_size == 128
    assert sum(each.numel() for each in pipe.transformer.parameters()) < 1e6
    assert edited(pipe).shape == np.asarray(random_picture()).shape


def test_each_model_paints_something_else(no_gpu):
    pictures = [edited(stand_in.load_pipeline(name)) for name in ("onereward", "onereward-dynamic")]
    pipe = stand_in.load_pipeline("onereward-removal-lora")
    pictures.append(edited(pipe))
    pipe.disable_lora()
    np.testing.assert_array_equal(edited(pipe), pictures[0])
    assert (pictures[0] != pictures[1]).any() and (pictures[0] != pictures[2]).any()


def test_a_memory_plan_by_name(no_gpu):
    pipe = stand_in.load_pipeline("onereward", memory="layers")
    assert pipe.settings["batched_cfg"] is False
    np.testing.assert_allclose(edited(pipe), edited(stand_in.load_pipeline("onereward")), atol=1)
    with pytest.raises(ValueError, match="no memory plan 'int4'"):
        stand_in.load_pipeline("onereward", memory="int4")


def test_its_prompts_are_kept_apart_from_those_of_real_models(no_gpu, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    pipe = stand_in.load_pipeline("onereward")
    pipe.encode("a prompt of this test")
    assert not any(tmp_path.iterdir())
    assert pipe.encoded.path("a prompt of this test", "a prompt of this test", stand_in.TINY_PROMPT).is_file()


def test_where_a_full_size_model_runs_it_is_loaded(gpu, monkeypatch, capsys):
    gpu(80)
    asked = []
    monkeypatch.setattr(models, "load_pipeline", lambda *names, **more: asked.append((names, more)))
    stand_in.load_pipeline("onereward", memory="offload")
    assert asked == [(("onereward",), {"memory": "offload"})]
    assert not capsys.readouterr().out


def test_a_gpu_without_room_says_so(gpu, capsys):
    gpu(4)
    stand_in.load_pipeline("onereward")
    assert capsys.readouterr().out.startswith("No memory plan fits a GPU (4 GB)")
