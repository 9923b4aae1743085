"""The catalogue and `load_pipeline`: what it loads, and what it says when it can't."""

import shutil
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
from tiny import quiet, random_mask, random_picture, tiny_components

import onereward_nb as onr
from onereward_nb import MODELS, hub, load_pipeline, models
from onereward_nb.models import ModelUnavailable

httpx = import_module(hub._HTTPError.__module__.split(".")[0])  # the one that the hub's client stands on
FULL_SIZE = ["flux-fill", "onereward", "onereward-dynamic", "onereward-removal-lora"]


# --- the package ---------------------------------------------------------------------------------


def test_import_is_light():
    code = (
        "import sys, time; start = time.perf_counter(); import onereward_nb;"
        "took = time.perf_counter() - start;"
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
    small += ["postcard-fill-onereward-dynamic", "postcard-reward"]
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


def test_reward_model_is_no_pipeline():
    with pytest.raises(ValueError, match=r"'postcard-reward' judges pictures.*postcard-fill"):
        load_pipeline("postcard-reward")


# --- small models --------------------------------------------------------------------------------


@pytest.fixture
def small_models(tiny_folder, tmp_path, monkeypatch):
    """A models folder with postcard-fill and another transformer for postcard-fill-onereward."""
    shutil.copytree(tiny_folder, tmp_path / "postcard-fill")
    tiny_components(seed=1)["transformer"].save_pretrained(
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
    expected = tiny_components(seed=1)["transformer"].state_dict()
    for name, weight in tuned.transformer.state_dict().items():
        assert torch.equal(weight, expected[name])
    assert torch.equal(next(base.vae.parameters()), next(tuned.vae.parameters()))
    assert (edited(base) != edited(tuned)).any()


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
def gpu(monkeypatch):
    """A pretended GPU: gpu(gigabytes, capability). Models are 'moved' to it by staying where they are."""

    def pretend(gigabytes, capability=(9, 0)):
        properties = SimpleNamespace(total_memory=gigabytes * 1e9)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        moves = []
        monkeypatch.setattr(
            onr.FluxFillCFGPipeline, "to", lambda pipe, device: moves.append("resident") or pipe
        )
        monkeypatch.setattr(
            onr.FluxFillCFGPipeline,
            "enable_model_cpu_offload",
            lambda pipe, device: moves.append("offloaded"),
        )
        return moves

    return pretend


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
    ("gigabytes", "reason"), [(16, "less than the 24 GB"), (80, r'load_pipeline("onereward")')]
)
def test_default_never_downloads(small_models, gpu, hub_answers, capsys, gigabytes, reason):
    gpu(gigabytes)
    load_pipeline()
    printed = capsys.readouterr().out
    assert printed.startswith("Model: postcard-fill-onereward on cuda.") and reason in printed


def test_default_with_gpu_and_weights(full_size_models, gpu, monkeypatch, capsys):
    monkeypatch.setattr(hub, "is_cached", lambda repository, file: True)
    gpu(80)
    load_pipeline()
    assert capsys.readouterr().out.startswith("Model: onereward on cuda. This GPU has room for it")


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
    assert models.default_dtype(device) == dtype


# --- full-size models ----------------------------------------------------------------------------


@pytest.fixture
def hub_answers(monkeypatch, tmp_path):
    """A pretended hub: hub_answers(status, error code, or an exception) answers every request like this."""
    answer = [404, "RepoNotFound"]

    def respond(request):
        if isinstance(answer[0], Exception):
            raise answer[0]
        return httpx.Response(
            answer[0], headers={"X-Error-Code": answer[1]} if answer[1] else {}, request=request
        )

    def pretend(status, code=None):
        answer[:] = [status, code]

    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(respond)))
    huggingface_hub.close_session()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.file_download.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield pretend
    huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)
    huggingface_hub.close_session()


@pytest.fixture
def full_size_models(tiny_folder, tmp_path, monkeypatch):
    """Tiny local folders under the names and in the layout of the repositories; access is granted."""
    base, onereward = (
        tmp_path / "black-forest-labs/FLUX.1-Fill-dev",
        tmp_path / "bytedance-research/OneReward",
    )
    shutil.copytree(tiny_folder, base)
    for seed, name in enumerate(("OneReward", "OneRewardDynamic"), start=1):
        transformer = tiny_components(seed=seed)["transformer"]
        transformer.save_pretrained(onereward / f"flux.1-fill-dev-{name}-transformer")
    save_lora(onereward / "flux.1-fill-dev-object-removal-lora")
    monkeypatch.chdir(tmp_path)  # from_pretrained takes a folder of this name before it asks the hub
    monkeypatch.setattr(huggingface_hub, "auth_check", lambda repository: None)


def save_lora(folder):
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(0)
    transformer = tiny_components()["transformer"]
    transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    onr.FluxFillCFGPipeline.save_lora_weights(folder, get_peft_model_state_dict(transformer))


@pytest.mark.parametrize(("name", "seed"), [("flux-fill", 0), ("onereward", 1), ("onereward-dynamic", 2)])
def test_full_size_model(full_size_models, gpu, name, seed):
    moves = gpu(80)
    loaded = load_pipeline(name, dtype=torch.float32)
    assert moves == ["resident"]
    assert loaded.settings == MODELS[name].settings and loaded.default_size == 1024
    assert loaded.quick == {}
    expected = tiny_components(seed=seed)["transformer"].state_dict()
    for key, weight in loaded.transformer.state_dict().items():
        assert torch.equal(weight, expected[key])
    assert edited(loaded).shape == (32, 48, 3)


def test_full_size_dtype_and_offloading(full_size_models, gpu):
    moves = gpu(24)
    assert load_pipeline("flux-fill").transformer.dtype == torch.bfloat16
    assert moves == ["offloaded"]


def test_removal_lora(full_size_models, gpu):
    gpu(80)
    plain, tuned = (
        load_pipeline(name, dtype=torch.float32) for name in ("onereward", "onereward-removal-lora")
    )
    assert tuned.get_active_adapters() == ["onereward-removal-lora"]
    with_lora = edited(tuned)
    assert (with_lora != edited(plain)).any()
    tuned.disable_lora()
    np.testing.assert_array_equal(edited(tuned), edited(plain))


@pytest.mark.parametrize("name", FULL_SIZE)
def test_without_gpu(no_gpu, name):
    with pytest.raises(ModelUnavailable, match=rf"'{name}' needs an NVIDIA GPU.*postcard-fill"):
        load_pipeline(name)


def test_small_gpu(gpu):
    gpu(16)
    with pytest.raises(ModelUnavailable, match="24 GB or more, this has 16"):
        load_pipeline("onereward")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, "GatedRepo"), r"FLUX.1-Fill-dev asks for a login.*hf auth login.*HF_TOKEN"),
        ((403, "GatedRepo"), r"huggingface.co/black-forest-labs/FLUX.1-Fill-dev and accept its licence"),
        ((404, "RepoNotFound"), r"was not found, or your token is not valid"),
        ((503, None), r"status 503.*Try again later"),
        ((httpx.ConnectError("no route"), None), r"No connection to the hub.*postcard"),
    ],
    ids=["no token", "no licence", "not found", "hub down", "no network"],
)
def test_hub_refuses(gpu, hub_answers, answer, words):
    gpu(80)
    hub_answers(*answer)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        load_pipeline("flux-fill")
    assert caught.value.__cause__ is not None


def test_offline_by_choice(gpu, hub_answers, monkeypatch):
    gpu(80)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)
    huggingface_hub.close_session()
    with pytest.raises(ModelUnavailable, match="unset HF_HUB_OFFLINE"):
        load_pipeline("flux-fill")
