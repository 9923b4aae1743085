"""What the tests share: a tiny random FLUX-Fill, saved and loaded as any other, and the trained one."""

import pytest
import torch
from tiny import quiet, tiny_components


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small models are fastest on one thread, and tests run beside others."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A tiny random model saved in the layout of black-forest-labs/FLUX.1-Fill-dev."""
    from diffusers import FluxFillPipeline

    folder = tmp_path_factory.mktemp("tiny")
    FluxFillPipeline(**tiny_components()).save_pretrained(folder, safe_serialization=True)
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
    """The trained small model; its tests are skipped as long as its weights don't exist."""
    from onereward_nb import MODELS, load_pipeline
    from onereward_nb.models import obstacle_to

    if obstacle := obstacle_to(MODELS["postcard-fill"]):
        pytest.skip(obstacle)
    return quiet(load_pipeline("postcard-fill", device="cpu"))
