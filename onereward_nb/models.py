"""The models by name, what each needs, and `load_pipeline`.

Small models ship with this project (assets/models); full-size ones come from the Hugging Face hub and need a
GPU.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import diffusers
import torch
from diffusers import FluxTransformer2DModel
from packaging.version import Version

from . import hub
from .catalogue import Catalogue
from .environment import frozen
from .hub import ModelUnavailable
from .pipeline import FluxFillCFGPipeline
from .tasks import QUICK

# Settings belong to weights and don't mix: FLUX.1-Fill was distilled to take its guidance as a number, about
# 30, in one prediction. OneReward's weights want that number at 1 and true CFG at 4, in two (its repository,
# in every example).
_FLUX_FILL = {"true_cfg_scale": 1.0, "guidance_scale": 30.0, "num_inference_steps": 50}
_ONEREWARD = {
    "true_cfg_scale": 4.0,
    "negative_prompt": "nsfw",
    "guidance_scale": 1.0,
    "num_inference_steps": 50,
}
# postcard-fill learned the empty prompt as the unconditional branch; "nsfw" is a word it has never read. It follows
# words closely already: more guidance than 2 makes it no better (assets/results/postcard-fill.json)
_POSTCARD = {**_ONEREWARD, "true_cfg_scale": 2.0, "negative_prompt": "", "num_inference_steps": 28}
_DISTILLED = {"guidance_scale": 2.0, "num_inference_steps": 28}

# GB of GPU memory that full-size pipelines take at 1024x1024 in 16 bits (measured on FLUX.1 [dev])
_RESIDENT_GB, _OFFLOADED_GB = 37, 24

_FLUX_REPOSITORY = "black-forest-labs/FLUX.1-Fill-dev"
_ONEREWARD_REPOSITORY = "bytedance-research/OneReward"


@dataclass(frozen=True)
class Model:
    """One set of weights.

    base: where all components lie: a folder of assets/models, or a repository of the hub for full-size
        models.
    transformer: where another transformer is taken from, (folder or repository, subfolder).
    lora: likewise, (repository, subfolder), file pytorch_lora_weights.safetensors.
    settings: the arguments of the pipeline that suit it.
    quick: those of them that change for a quick edit, where it is known what does as well.
    default_size: the side of its pictures, in pixels.
    gpu_gb: the GPU memory that a full-size model needs.
    """

    name: str
    does: str
    base: str
    kind: str = "pipeline"
    full_size: bool = False
    transformer: tuple[str, str] | None = None
    lora: tuple[str, str] | None = None
    settings: dict = field(default_factory=dict)
    quick: dict = field(default_factory=dict)
    default_size: int = 1024
    gpu_gb: int = _OFFLOADED_GB

    @property
    def repositories(self):
        """What it is downloaded from: {repository: a file that is in it}."""
        if not self.full_size:
            return {}
        files = {self.base: "model_index.json" if self.kind == "pipeline" else "config.json"}
        if self.transformer:
            files[self.transformer[0]] = f"{self.transformer[1]}/config.json"
        return files


def _postcard(name, does, settings=_POSTCARD, **more):
    return Model(name, does, "postcard-fill", settings=settings, quick=QUICK, default_size=128, **more)


def _onereward(name, does, subfolder, **more):
    return Model(
        name,
        does,
        _FLUX_REPOSITORY,
        full_size=True,
        settings=_ONEREWARD,
        transformer=(_ONEREWARD_REPOSITORY, f"flux.1-fill-dev-{subfolder}-transformer"),
        **more,
    )


MODELS = Catalogue(
    "model",
    [
        _postcard("postcard-fill", "the small fill model of the Postcard world"),
        _postcard(
            "postcard-fill-distilled",
            "the same, with true CFG distilled into one prediction",
            transformer=("postcard-fill-distilled", "transformer"),
            settings=_DISTILLED,
        ),
        _postcard(
            "postcard-fill-onereward",
            "the same after OneReward RL, Algorithm 1",
            transformer=("postcard-fill-onereward", "transformer"),
        ),
        _postcard(
            "postcard-fill-onereward-dynamic",
            "the same after OneReward RL, Algorithm 2",
            transformer=("postcard-fill-onereward-dynamic", "transformer"),
        ),
        Model("postcard-reward", "the small pairwise reward model", "postcard-reward", kind="reward"),
        Model("flux-fill", "FLUX.1-Fill [dev]", _FLUX_REPOSITORY, full_size=True, settings=_FLUX_FILL),
        _onereward("onereward", "FLUX.1-Fill [dev] after OneReward RL, Algorithm 1", "OneReward"),
        _onereward(
            "onereward-dynamic", "FLUX.1-Fill [dev] after OneReward RL, Algorithm 2", "OneRewardDynamic"
        ),
        _onereward(
            "onereward-removal-lora",
            "OneReward with its LoRA for object removal",
            "OneReward",
            lora=(_ONEREWARD_REPOSITORY, "flux.1-fill-dev-object-removal-lora"),
        ),
        Model(
            "qwen2.5-vl-7b",
            "zero-shot stand-in for the unreleased reward model",
            "Qwen/Qwen2.5-VL-7B-Instruct",
            kind="reward",
            full_size=True,
            gpu_gb=20,
        ),
        Model(
            "qwen2.5-vl-3b",
            "the same, smaller",
            "Qwen/Qwen2.5-VL-3B-Instruct",
            kind="reward",
            full_size=True,
            gpu_gb=10,
        ),
    ],
)


def load_pipeline(name=None, device=None, dtype=None):
    """An editing pipeline by its name, ready to be called.

    Args:
        name: a pipeline of `MODELS`. None takes the best one that runs here without a download, and prints
            which and why.
        device: "cpu", "cuda", ...; by default the GPU if there is one.
        dtype: a torch.dtype; by default float32 on a CPU, so that pictures come out alike on every machine,
            bfloat16 on GPUs that compute in it (compute capability 8 and up), float16 on older ones.

    Returns:
        A FluxFillCFGPipeline with the model's `settings`, `quick` and `default_size`.

    Raises:
        ValueError for an unknown name or one that is no pipeline; ModelUnavailable, with the next step, where
        weights, a GPU, a login, a licence or a connection is missing.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if name is None:
        model, why = _best_model(device)
        print(f"Model: {model.name} on {device.type}. {why}")
    else:
        model = MODELS[name]
    if model.kind != "pipeline":
        pipelines = ", ".join(each.name for each in MODELS.values() if each.kind == "pipeline")
        raise ValueError(f"{model.name!r} judges pictures and edits none. Models that edit: {pipelines}.")
    obstacle = obstacle_to(model, device)
    if obstacle:
        raise ModelUnavailable(obstacle)
    dtype = dtype or default_dtype(device)
    pipe = _load_full_size(model, device, dtype) if model.full_size else _load_small(model, device, dtype)
    pipe.settings, pipe.quick = dict(model.settings), dict(model.quick)
    pipe.default_size = model.default_size
    pipe.set_progress_bar_config(delay=2, disable=frozen())  # seconds: no bar for what is over sooner
    return pipe


def models_folder():
    """Where the small models lie: assets/models of this project, or what ONEREWARD_NB_MODELS names."""
    own = Path(__file__).resolve().parents[1] / "assets" / "models"
    return Path(os.environ.get("ONEREWARD_NB_MODELS") or own)


def default_dtype(device):
    """The number format that a device computes in fast and well."""
    device = torch.device(device)
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8:
        return torch.float16  # torch says yes to bfloat16 on these cards, but only emulates it
    return torch.bfloat16


def obstacle_to(model, device=None):
    """What keeps a model from being loaded here, with the next step; None if nothing does.

    Looks at this machine only: whether the hub lets us in shows on loading.
    """
    if not model.full_size:
        missing = [folder for folder in _small_folders(model) if not folder.is_dir()]
        if missing:
            return (
                f"The weights of {model.name!r} are missing: no folder {missing[0]}. They come with a clone "
                "of the project; elsewhere, set the environment variable ONEREWARD_NB_MODELS to their folder."
            )
        return None
    small = {"pipeline": '"postcard-fill", which does the same edits', "reward": '"postcard-reward"'}[
        model.kind
    ]
    if torch.device(device or "cuda").type != "cuda" or not torch.cuda.is_available():
        return (
            f"{model.name!r} needs an NVIDIA GPU with at least {model.gpu_gb} GB, and there is none here. "
            f"Use {small} at a small size, or a machine with a GPU."
        )
    if _gpu_gb(device) < model.gpu_gb:
        return (
            f"{model.name!r} needs a GPU with {model.gpu_gb} GB or more, this has {_gpu_gb(device):.0f}. "
            f"Use {small} at a small size, or a larger GPU."
        )
    return None


def _best_model(device):
    onereward = MODELS["onereward"]
    downloaded = all(hub.is_cached(*file) for file in onereward.repositories.items())
    if obstacle_to(onereward, device) is None and downloaded:
        return onereward, "This GPU has room for it, and its weights are here."
    if device.type != "cuda":
        reason = "No GPU here, so the small model, which runs on any machine."
    elif obstacle_to(onereward, device):
        reason = f"The GPU has less than the {_OFFLOADED_GB} GB that the full-size models need."
    else:
        reason = 'The GPU has room for the full-size model: load_pipeline("onereward") downloads it (34 GB).'
    for name in ("postcard-fill-onereward", "postcard-fill"):
        if obstacle_to(MODELS[name]) is None:
            break
    return MODELS[name], reason


def _small_folders(model):
    parts = [model.base] + ([str(Path(*model.transformer))] if model.transformer else [])
    return [models_folder() / part for part in parts]


def _load_small(model, device, dtype):
    base, *transformer = _small_folders(model)
    return _assemble(base, transformer[0] if transformer else None, None, dtype).to(device)


def _load_full_size(model, device, dtype):
    for repository, file in model.repositories.items():
        hub.check_access(repository, file)
    with hub.explained(model.base):
        pipe = _assemble(model.base, *(model.transformer or (None, None)), dtype)
        if model.lora:
            repository, subfolder = model.lora
            pipe.load_lora_weights(
                repository,
                subfolder=subfolder,
                weight_name="pytorch_lora_weights.safetensors",
                adapter_name=model.name,
            )
    if _gpu_gb(device) >= _RESIDENT_GB:
        return pipe.to(device)
    pipe.enable_model_cpu_offload(device=device)
    return pipe


def _assemble(base, transformer, subfolder, dtype):
    """A pipeline of the components in `base`, with another transformer if one is given."""
    # diffusers 0.42 renamed the argument, and warns of the old name
    arguments = {
        "dtype" if Version(diffusers.__version__) >= Version("0.42") else "torch_dtype": dtype,
        "use_safetensors": True,
    }
    parts = {}
    if transformer is not None:
        parts["transformer"] = FluxTransformer2DModel.from_pretrained(
            transformer, subfolder=subfolder, **arguments
        )
    return FluxFillCFGPipeline.from_pretrained(base, **parts, **arguments)


def _gpu_gb(device):
    return torch.cuda.get_device_properties(device).total_memory / 1e9
