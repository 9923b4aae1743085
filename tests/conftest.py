"""What the tests share: a tiny random FLUX-Fill, saved and loaded as any other, and the trained one."""

import os

import fake_hub
import pytest
import torch
from tiny import quiet


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small models are fastest on one thread, here and in processes that tests start, for tests run beside others."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session", autouse=True)
def verdicts_in_one_line():
    """Tests look for words, wherever a page would break the line."""
    from onereward_nb.exercises import verdict

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict, "WIDTH", 1000)
        yield


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A tiny random model saved in the layout of black-forest-labs/FLUX.1-Fill-dev."""
    from diffusers import FluxFillPipeline

    from onereward_nb.stand_in import components

    folder = tmp_path_factory.mktemp("tiny")
    FluxFillPipeline(**components()).save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="session")
def vae_folder(tmp_path_factory):
    """A VAE of the Postcard world with random weights, saved."""
    from onereward_nb.postcards.architecture import make_vae

    folder = tmp_path_factory.mktemp("vae")
    torch.manual_seed(7)
    vae = make_vae()
    vae.register_to_config(scaling_factor=0.5, shift_factor=0.1)
    vae.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def upstream(tiny_folder):
    """diffusers' own pipeline over the tiny model."""
    from diffusers import FluxFillPipeline

    return quiet(FluxFillPipeline.from_pretrained(tiny_folder))


@pytest.fixture(scope="session")
def pipe(tiny_folder):
    """Ours over the same weights."""
    from onereward_nb import FluxFillCFGPipeline

    return quiet(FluxFillCFGPipeline.from_pretrained(tiny_folder))


@pytest.fixture(scope="session")
def postcard():
    """The trained small model."""
    from onereward_nb import MODELS, load_pipeline
    from onereward_nb.models import obstacle_to

    if obstacle := obstacle_to(MODELS["postcard-fill"]):
        pytest.fail(obstacle)
    return quiet(load_pipeline("postcard-fill", device="cpu"))


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """Tiny models under the names and in the layout of the hub's repositories, one folder below the other."""
    from onereward_nb.stand_in import save_repositories

    root = tmp_path_factory.mktemp("repositories")
    save_repositories(root)
    for other in ("flux1-fill-dev.safetensors", "ae.safetensors"):  # the same once more, for other programs
        (root / "black-forest-labs/FLUX.1-Fill-dev" / other).write_bytes(b"not to be downloaded")
    return root


@pytest.fixture
def hub_server(repositories, tmp_path, monkeypatch):
    """A FakeHub with these repositories; what is downloaded lies in an empty folder of the test's own."""
    yield fake_hub.serve(repositories, tmp_path / "home", monkeypatch)
    fake_hub.stop_serving()


@pytest.fixture
def gpu(monkeypatch):
    """A pretended GPU: gpu(gigabytes, capability, system memory). Pipelines are placed by staying where they are."""
    from onereward_nb import FluxFillCFGPipeline, doctor, environment
    from onereward_nb.environment import Gpu, Machine

    def pretend(gigabytes, capability=(9, 0), memory=128.0):
        card = Gpu("a GPU", float(gigabytes), capability)
        for module in (environment, doctor):
            monkeypatch.setattr(module, "machine", lambda: Machine("a CPU", 8, memory, (card,)))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        placed = []
        for method in ("to", "enable_model_cpu_offload", "enable_group_offload"):
            monkeypatch.setattr(
                FluxFillCFGPipeline, method, lambda pipe, *_, name=method, **__: placed.append(name) or pipe
            )
        return placed

    return pretend
