"""The catalogue and `load_pipeline`: what it loads, and what it says when it can't."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import quiet, random_mask, random_picture

import onereward_nb as onr
from onereward_nb import MODELS, devices, load_pipeline, models, stand_in
from onereward_nb.catalogue import Catalogue
from onereward_nb.models import ModelUnavailable

FULL_SIZE = ["flux-fill", "onereward", "onereward-dynamic", "onereward-removal-lora"]


# --- the package ---------------------------------------------------------------------------------


def test_import_is_light():
    # the time of the processor, for other tests may keep the machine busy
    code = (
        "import sys, time; start = time.process_time(); import onereward_nb;"
        "took = time.process_time() - start;"
        "heavy = {'torch', 'diffusers', 'transformers', 'matplotlib', 'PIL', 'numpy'} & set(sys.modules);"
        "assert not heavy, heavy; assert took < 0.5, took;"
        "import onereward_nb.masks; assert not {'torch', 'diffusers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_offered_is_there():
    for name in onr.__all__:
        assert getattr(onr, name) is not None
    assert onr.masks.__name__ == "onereward_nb.masks" and onr.run_task is onr.tasks.run_task
    with pytest.raises(AttributeError, match=r"no attribute 'load_pipelin'.*load_pipeline"):
        _ = onr.load_pipelin


# --- the catalogue -------------------------------------------------------------------------------


def test_catalogue():
    small = ["postcard-fill", "postcard-fill-distilled", "postcard-fill-onereward"]
    small += ["postcard-fill-onereward-dynamic", "postcard-fill-removal-lora", "postcard-reward"]
    assert list(MODELS) == [*small, *FULL_SIZE, "qwen2.5-vl-7b", "qwen2.5-vl-3b"]
    for name in FULL_SIZE:
        model = MODELS[name]
        assert (model.full_size, model.base, model.default_size) == (
            True,
            "black-forest-labs/FLUX.1-Fill-dev",
            1024,
        )
    onereward = MODELS["onereward"]
    assert onereward.transformer == ("bytedance-research/OneReward", "flux.1-fill-dev-OneReward-transformer")
    assert onereward.settings["guidance_scale"] == 1.0 and onereward.settings["true_cfg_scale"] == 4.0
    assert MODELS["flux-fill"].settings == {
        "true_cfg_scale": 1.0,
        "guidance_scale": 30.0,
        "num_inference_steps": 50,
    }
    assert MODELS["postcard-fill"].settings["num_inference_steps"] == 28
    assert MODELS["postcard-fill"].default_size == 128
    assert not any(model.quick for model in MODELS.values() if model.full_size)


def test_unknown_model():
    with pytest.raises(ValueError, match=r"no model 'onerewrd'\. Did you mean 'onereward'\?.*flux-fill"):
        load_pipeline("onerewrd")


def test_a_name_like_no_other_gets_no_suggestion():
    with pytest.raises(ValueError, match=r"no model 'nonsense'\. Known"):
        load_pipeline("nonsense")


@pytest.mark.parametrize(
    ("device", "words"),
    [("gpu", "device is 'gpu': give 'cpu', 'cuda'"), ("cuda:0", "finds no such GPU here")],
)
def test_a_device_that_is_not_there(monkeypatch, device, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises((ValueError, ModelUnavailable), match=words):
        load_pipeline("postcard-fill", device=device)


def test_a_full_size_model_names_the_small_one_that_does_the_same(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for model in MODELS.values():
        if model.full_size:
            assert MODELS[model.small].kind == model.kind and not MODELS[model.small].full_size
            assert f"Use '{model.small}'" in models.obstacle_to(model)
    with pytest.raises(ModelUnavailable, match="Use 'postcard-fill-onereward-dynamic'"):
        load_pipeline("onereward-dynamic")


def test_an_unknown_plan_is_refused_before_the_machine_is_looked_at():
    with pytest.raises(ValueError, match=r"no memory plan 'int9'\. Did you mean 'int8'"):
        load_pipeline("onereward", memory="int9")


def test_reward_model_is_no_pipeline():
    with pytest.raises(ValueError, match=r"'postcard-reward' judges pictures.*postcard-fill"):
        load_pipeline("postcard-reward")


# --- small models --------------------------------------------------------------------------------


@pytest.fixture
def small_models(tiny_folder, tmp_path, monkeypatch):
    """A models folder with postcard-fill and another transformer for postcard-fill-onereward."""
    shutil.copytree(tiny_folder, tmp_path / "postcard-fill")
    stand_in.components(seed=1)["transformer"].save_pretrained(
        tmp_path / "postcard-fill-onereward" / "transformer"
    )
    monkeypatch.setattr(models, "models_folder", lambda: tmp_path)
    return tmp_path


def edited(pipe):
    pipe = quiet(pipe)
    return np.asarray(onr.run_task(pipe, "removal", random_picture(), random_mask(), num_inference_steps=2))


def test_small_model(small_models, pipe):
    loaded = load_pipeline("postcard-fill", device="cpu")
    assert isinstance(loaded, onr.FluxFillCFGPipeline)
    assert loaded.dtype == torch.float32 and loaded.device.type == "cpu"
    assert loaded.settings == MODELS["postcard-fill"].settings and loaded.default_size == 128
    assert loaded.quick == onr.QUICK
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(edited(loaded), np.asarray(random_picture()))
    for name, weight in loaded.transformer.state_dict().items():
        assert torch.equal(weight, pipe.transformer.state_dict()[name])


def test_transformer_over_the_other_components(small_models):
    base, tuned = (load_pipeline(name, "cpu") for name in ("postcard-fill", "postcard-fill-onereward"))
    expected = stand_in.components(seed=1)["transformer"].state_dict()
    for name, weight in tuned.transformer.state_dict().items():
        assert torch.equal(weight, expected[name])
    assert torch.equal(next(base.vae.parameters()), next(tuned.vae.parameters()))
    assert (edited(base) != edited(tuned)).any()


def test_small_model_with_lora(small_models, monkeypatch):
    stand_in.save_lora(small_models / "a-lora" / "removal")
    entry = replace(MODELS["postcard-fill"], name="with-lora", lora=("a-lora", "removal"))
    monkeypatch.setattr(models, "MODELS", Catalogue("model", [*MODELS.values(), entry]))
    plain, tuned = (load_pipeline(name, "cpu") for name in ("postcard-fill", "with-lora"))
    assert tuned.get_active_adapters() == ["with-lora"]
    assert (edited(tuned) != edited(plain)).any()
    tuned.disable_lora()
    np.testing.assert_array_equal(edited(tuned), edited(plain))
    shutil.rmtree(small_models / "a-lora")
    with pytest.raises(ModelUnavailable, match=r"'with-lora' are missing: no folder .*a-lora.removal\."):
        load_pipeline("with-lora", "cpu")


def test_small_models_need_no_plan(small_models):
    with pytest.raises(ValueError, match=r"'postcard-fill' is small .* leave out memory='nf4'"):
        load_pipeline("postcard-fill", "cpu", memory="nf4")


def test_dtype_can_be_chosen(small_models):
    assert load_pipeline("postcard-fill", "cpu", torch.bfloat16).transformer.dtype == torch.bfloat16


def test_weights_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("ONEREWARD_NB_MODELS", str(tmp_path))
    with pytest.raises(
        ModelUnavailable, match=r"'postcard-fill' are missing.*postcard-fill\. .*ONEREWARD_NB_MODELS"
    ):
        load_pipeline("postcard-fill", "cpu")


def test_own_models_lie_in_assets_or_where_the_reader_says(monkeypatch, tmp_path):
    monkeypatch.delenv("ONEREWARD_NB_MODELS", raising=False)
    folder = models.models_folder()
    assert folder.parts[-2:] == ("assets", "models") and (folder.parents[1] / "onereward_nb").is_dir()
    monkeypatch.setenv("ONEREWARD_NB_MODELS", str(tmp_path))
    assert models.models_folder() == tmp_path


# --- the choice for this machine -----------------------------------------------------------------


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_default_without_gpu(small_models, no_gpu, capsys):
    load_pipeline()
    assert capsys.readouterr().out == (
        "Model: postcard-fill-onereward on cpu. No GPU here, so the small model, which runs on any machine.\n"
    )
    shutil.rmtree(small_models / "postcard-fill-onereward")
    load_pipeline()
    assert capsys.readouterr().out.startswith("Model: postcard-fill on cpu.")


@pytest.mark.parametrize(
    ("gigabytes", "reason"),
    [
        (4, "does not run here: No memory plan fits a GPU (4 GB)"),
        (80, 'load_pipeline("onereward") downloads it (34 GB)'),
    ],
)
def test_default_never_downloads(small_models, gpu, hub_server, capsys, gigabytes, reason):
    gpu(gigabytes)
    load_pipeline()
    printed = capsys.readouterr().out
    assert printed.startswith("Model: postcard-fill-onereward on cuda.") and reason in printed
    assert not hub_server.requests


def test_default_with_gpu_and_weights(small_models, gpu, hub_server, capsys):
    gpu(80)
    load_pipeline("onereward")
    hub_server.requests.clear()
    capsys.readouterr()
    assert load_pipeline().settings == MODELS["onereward"].settings
    assert capsys.readouterr().out.startswith("Model: onereward on cuda. This GPU has room for it")
    assert not hub_server.requests


def test_default_does_not_take_half_a_download_for_a_whole_one(small_models, gpu, hub_server, capsys):
    gpu(80)
    hub_server.cut(100, ConnectionResetError("gone"))
    with pytest.raises(ModelUnavailable):
        load_pipeline("onereward")
    load_pipeline()
    assert "Model: postcard-fill-onereward" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("device", "capability", "dtype"),
    [
        ("cpu", None, torch.float32),
        ("cuda", (7, 5), torch.float16),
        ("cuda", (8, 0), torch.bfloat16),
        ("cuda", (9, 0), torch.bfloat16),
    ],
)
def test_default_dtype(gpu, device, capability, dtype):
    gpu(16, capability)
    assert devices.default_dtype(device) == dtype
