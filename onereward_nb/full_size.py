"""Loading a full-size pipeline by a memory plan: encode, quantize, place."""

import diffusers
from diffusers import BitsAndBytesConfig, FluxTransformer2DModel, TorchAoConfig
from packaging.version import Version
from transformers import BitsAndBytesConfig as TextBitsAndBytesConfig
from transformers import CLIPTextModel, T5EncoderModel

from .encoded import EncodedPrompts, FluxFillCFGEncodedPipeline
from .lora import load_lora
from .plans import text_dtype
from .tasks import TASKS

# diffusers 0.42 renamed the argument, and warns of the old name
DTYPE = "dtype" if Version(diffusers.__version__) >= Version("0.42") else "torch_dtype"
# beside the transformer; FLUX.1-Fill's repository has all once more in two large files, for other programs
_PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "vae")


def files_of(model):
    """What a full-size pipeline is downloaded from: {repository: patterns of the files that it needs}."""
    files = {model.base: ["model_index.json", *(f"{part}/*" for part in _PARTS)]}
    for repository, subfolder in filter(None, (_transformer_of(model), model.lora)):
        files.setdefault(repository, []).append(f"{subfolder}/*")
    return files


def _transformer_of(model):
    return model.transformer or (model.base, "transformer")


def load(model, plan, folders, device, dtype, prompts=None):
    """The pipeline of a full-size `models.Model`, held by a `plans.Plan`.

    folders: {repository: folder} with its `files_of`. device: where it runs; dtype: the number format that its
    transformer computes in. prompts: where encoded prompts are kept, as for `EncodedPrompts`.
    """
    base = folders[model.base]
    absent = dict.fromkeys(("text_encoder", "text_encoder_2")) if plan.frees_encoders else {}
    pipe = FluxFillCFGEncodedPipeline.from_pretrained(
        base,
        transformer=None,  # after the prompts: the encoders need the room now, it later
        **absent,
        **{DTYPE: {"default": dtype, "text_encoder_2": text_dtype(dtype)}},
        use_safetensors=True,
    )
    pipe.compute_dtype = dtype
    bits = f"{plan.name if plan.frees_encoders else ''} {text_dtype(dtype)}".strip()
    pipe.encoded = EncodedPrompts(model.base, base.name, bits, prompts)
    if plan.frees_encoders:
        pipe.load_encoders = lambda: _encoders(base, device, dtype)
        fixed = [task.prompt for task in TASKS.values() if task.prompt]
        pipe.encode([*fixed, model.settings.get("negative_prompt", "")])
    repository, subfolder = _transformer_of(model)
    pipe.transformer = _transformer(folders[repository] / subfolder, plan, device, dtype)
    if model.lora:
        repository, subfolder = model.lora
        load_lora(pipe, folders[repository] / subfolder, model.name)
    _place(pipe, plan, device)
    return pipe


def _transformer(folder, plan, device, dtype):
    arguments = {DTYPE: dtype, "use_safetensors": True}
    if plan.package:  # weight by weight onto the device, which quantizes faster and has the room
        arguments |= {"quantization_config": _quantization(plan, dtype), "device_map": {"": device}}
    return FluxTransformer2DModel.from_pretrained(folder, **arguments)


def _quantization(plan, dtype):
    if plan.name == "int8":
        from torchao.quantization import Int8WeightOnlyConfig

        return TorchAoConfig(Int8WeightOnlyConfig())
    return BitsAndBytesConfig(**_nf4(dtype))


def _nf4(dtype):
    return {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}


def _encoders(base, device, dtype):
    """CLIP and T5, in 4 bits, on the device."""
    clip = CLIPTextModel.from_pretrained(base / "text_encoder", dtype=dtype, use_safetensors=True)
    t5 = T5EncoderModel.from_pretrained(
        base / "text_encoder_2",
        dtype=text_dtype(dtype),
        quantization_config=TextBitsAndBytesConfig(**_nf4(text_dtype(dtype))),
        device_map={"": device},
        use_safetensors=True,
    )
    return clip.to(device), t5


def _place(pipe, plan, device):
    if plan.placement == "resident":
        pipe.to(device)
    elif plan.placement == "offload":
        pipe.enable_model_cpu_offload(device=device)
    else:
        on_gpu = device.type == "cuda"  # there the next layer is on its way while one computes
        pipe.enable_group_offload(
            device, offload_type="leaf_level", use_stream=on_gpu, low_cpu_mem_usage=on_gpu
        )
