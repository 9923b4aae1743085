"""The models by name, what each needs, and `load_pipeline`.

Small models ship with this project (assets/models); full-size ones come from the Hugging Face hub and need a
GPU.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel

from . import devices, environment, full_size, hub, plans
from .catalogue import Catalogue
from .hub import ModelUnavailable
from .lora import load_lora
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

_FLUX_REPOSITORY = "black-forest-labs/FLUX.1-Fill-dev"
_ONEREWARD_REPOSITORY = "bytedance-research/OneReward"


@dataclass(frozen=True)
class Model:
    """One set of weights.

    base: where all components lie: a folder of assets/models, or a repository of the hub for full-size
        models.
    transformer: where another transformer is taken from, (folder or repository, subfolder).
    lora: likewise a LoRA, (folder or repository, subfolder), file pytorch_lora_weights.safetensors.
    settings: the arguments of the pipeline that suit it.
    quick: those of them that change for a quick edit, where it is known what does as well.
    default_size: the side of its pictures, in pixels.
    gpu_gb: the GPU memory that a full-size reward model needs. What pipelines need depends on their memory plan.
    small: the small model that does the same as a full-size one.
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
    gpu_gb: int | None = None
    small: str | None = None


def _postcard(name, does, settings=_POSTCARD, **more):
    return Model(name, does, "postcard-fill", settings=settings, quick=QUICK, default_size=128, **more)


def _onereward(name, does, subfolder, small, **more):
    return Model(
        name,
        does,
        _FLUX_REPOSITORY,
        full_size=True,
        settings=_ONEREWARD,
        transformer=(_ONEREWARD_REPOSITORY, f"flux.1-fill-dev-{subfolder}-transformer"),
        small=small,
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
        _postcard(
            "postcard-fill-removal-lora",
            "the same with a LoRA for object removal, by RL on removal alone",
            lora=("postcard-fill-removal-lora", ""),
        ),
        Model("postcard-reward", "the small pairwise reward model", "postcard-reward", kind="reward"),
        Model(
            "flux-fill",
            "FLUX.1-Fill [dev]",
            _FLUX_REPOSITORY,
            full_size=True,
            settings=_FLUX_FILL,
            small="postcard-fill",
        ),
        _onereward(
            "onereward",
            "FLUX.1-Fill [dev] after OneReward RL, Algorithm 1",
            "OneReward",
            small="postcard-fill-onereward",
        ),
        _onereward(
            "onereward-dynamic",
            "FLUX.1-Fill [dev] after OneReward RL, Algorithm 2",
            "OneRewardDynamic",
            small="postcard-fill-onereward-dynamic",
        ),
        _onereward(
            "onereward-removal-lora",
            "OneReward with its LoRA for object removal",
            "OneReward",
            small="postcard-fill-removal-lora",
            lora=(_ONEREWARD_REPOSITORY, "flux.1-fill-dev-object-removal-lora"),
        ),
        Model(
            "qwen2.5-vl-7b",
            "zero-shot stand-in for the unreleased reward model",
            "Qwen/Qwen2.5-VL-7B-Instruct",
            kind="reward",
            full_size=True,
            gpu_gb=20,
            small="postcard-reward",
        ),
        Model(
            "qwen2.5-vl-3b",
            "the same, smaller",
            "Qwen/Qwen2.5-VL-3B-Instruct",
            kind="reward",
            full_size=True,
            gpu_gb=10,
            small="postcard-reward",
        ),
    ],
)


def load_pipeline(name=None, device=None, dtype=None, memory="auto"):
    """An editing pipeline by its name, ready to be called.

    Args:
        name: a pipeline of `MODELS`. None takes the best one that runs here without a download, and prints
            which and why.
        device: "cpu", "cuda", ...; by default the GPU if there is one.
        dtype: a torch.dtype; by default float32 on a CPU, so that pictures come out alike on every machine,
            bfloat16 on GPUs that compute in it (compute capability 8 and up), float16 on older ones.
        memory: how to fit a full-size model into the GPU, a name of `plans.PLANS`; "auto" takes the best that
            fits. Which, and what it is expected to need, is printed. Small models need no plan.

    Returns:
        A FluxFillCFGPipeline with the model's `settings`, `quick` and `default_size`.

    Raises:
        ValueError for an unknown name or one that is no pipeline, an unknown plan, or a plan for a small model;
        ModelUnavailable, with the next step, where weights, a GPU, memory, a login, a licence or a connection is
        missing.
    """
    device = devices.named(device)
    if memory != "auto":
        plans.PLANS[memory]  # a name that is not there is refused before anything else
    if name is None:
        model, why = _best_model(device)
        print(f"Model: {model.name} on {device.type}. {why}")
    else:
        model = MODELS[name]
    if model.kind != "pipeline":
        pipelines = ", ".join(each.name for each in MODELS.values() if each.kind == "pipeline")
        raise ValueError(f"{model.name!r} judges pictures and edits none. Models that edit: {pipelines}.")
    if model.full_size:
        machine, gpu = _machine_with_gpu(model, device)
        dtype = dtype or devices.default_dtype(device)
        plan = plans.choose(machine, gpu, dtype, memory)
        print(plans.report(plan, machine, gpu, dtype))
        folders = hub.download(full_size.files_of(model))
        return ready(full_size.load(model, plan, folders, device, dtype), model, plan)
    if memory != "auto":
        raise ValueError(f"{model.name!r} is small and fits anywhere: leave out memory={memory!r}.")
    devices.check_there(device)
    return ready(_load_small(model, device, dtype or devices.default_dtype(device)), model)


def ready(pipe, model, plan=None):
    """A pipeline with the settings of its model, and of the memory plan that it was loaded by."""
    pipe.settings = {**model.settings, **(plan.settings if plan else {})}
    pipe.quick, pipe.default_size = dict(model.quick), model.default_size
    # a bar after two seconds, and until it is over: none for what is over sooner
    pipe.set_progress_bar_config(delay=2, leave=False, disable=environment.frozen())
    return pipe


def models_folder():
    """Where the small models lie: assets/models of this project, or what ONEREWARD_NB_MODELS names."""
    own = Path(__file__).resolve().parents[1] / "assets" / "models"
    return Path(os.environ.get("ONEREWARD_NB_MODELS") or own)


def obstacle_to(model, device=None):
    """What keeps a model from being loaded here, with the next step; None if nothing does.

    Looks at this machine only: whether the hub lets us in shows on loading.
    """
    try:
        if not model.full_size:
            _small_folders(model)
        elif model.kind == "pipeline":
            plan_for(model, device)
        else:
            _, gpu = _machine_with_gpu(model, device)
            if gpu.memory < model.gpu_gb:
                return (
                    f"{model.name!r} needs a GPU with {model.gpu_gb} GB or more, this has {gpu.memory:.0f}. "
                    f"Use {model.small!r}, which does the same at a small size, or a larger GPU."
                )
    except ModelUnavailable as obstacle:
        return str(obstacle)
    return None


def plan_for(model, device=None):
    """The memory plan that a full-size pipeline would take here. ModelUnavailable says what keeps it."""
    machine, gpu = _machine_with_gpu(model, device)
    return plans.choose(machine, gpu, devices.default_dtype(device or "cuda"))


def _machine_with_gpu(model, device):
    """This machine and the GPU that a full-size model is to run on."""
    device = torch.device(device or "cuda")
    place = device.index or 0
    if device.type == "cuda" and torch.cuda.is_available() and place < torch.cuda.device_count():
        machine = environment.machine()
        return machine, machine.gpus[place]
    room = f" with at least {model.gpu_gb} GB" if model.gpu_gb else ""
    if torch.cuda.is_available():
        raise ModelUnavailable(
            f"{model.name!r} needs an NVIDIA GPU{room}, and device is '{device}': leave it out, or name one of the "
            f"{torch.cuda.device_count()} that are here, from 'cuda:0' on."
        )
    raise ModelUnavailable(
        f"{model.name!r} needs an NVIDIA GPU{room}, and there is none here. "
        f"Use {model.small!r}, which does the same at a small size, or a machine with a GPU."
    )


def _best_model(device):
    onereward = MODELS["onereward"]
    if device.type != "cuda":
        reason = "No GPU here, so the small model, which runs on any machine."
    elif obstacle := obstacle_to(onereward, device):
        reason = f"The full-size model does not run here: {obstacle}"
    elif all(hub.downloaded(*files) for files in full_size.files_of(onereward).items()):
        return onereward, "This GPU has room for it, and its weights are here."
    else:
        size = sum(count for count, _ in plans.parameters().values()) * 2 / 1e9
        reason = f'This GPU has room for the full-size model: load_pipeline("onereward") downloads it ({size:.0f} GB).'
    for name in ("postcard-fill-onereward", "postcard-fill"):
        if obstacle_to(MODELS[name]) is None:
            break
    return MODELS[name], reason


def _small_folders(model):
    """Where a small model lies: (its components, another transformer or None, a LoRA or None)."""
    parts = ((model.base,), model.transformer, model.lora)
    folders = [part and models_folder().joinpath(*part) for part in parts]
    for folder in folders:
        if folder and not folder.is_dir():
            raise ModelUnavailable(
                f"The weights of {model.name!r} are missing: no folder {folder}. They come with a clone "
                "of the project; elsewhere, set the environment variable ONEREWARD_NB_MODELS to their folder."
            )
    return folders


def _load_small(model, device, dtype):
    base, transformer, lora = _small_folders(model)
    arguments = {full_size.DTYPE: dtype, "use_safetensors": True}
    parts = {}
    if transformer:
        parts["transformer"] = FluxTransformer2DModel.from_pretrained(transformer, **arguments)
    pipe = FluxFillCFGPipeline.from_pretrained(base, **parts, **arguments)
    if lora:
        load_lora(pipe, lora, model.name)
    return pipe.to(device)
