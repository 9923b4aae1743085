"""Random weights in place of full-size ones: FLUX.1-Fill's architecture, or a tiny one, laid out as on the hub.

What they paint is noise. They are there to run, time and test what full-size models do where their weights, or a GPU,
cannot be had: the same files, read by the same code.
"""

import tempfile
import textwrap
from functools import cache
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxFillPipeline, FluxTransformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from tokenizers import Regex, Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

from .preparation import LONGEST_PROMPT

TINY_PROMPT = 12  # tokens
_TINY_SIZE = 128  # the side in pixels of pictures for the tiny pipelines: a CPU paints them in a second
_SPECIAL = ("<pad>", "</s>", "<unk>")
_CHARACTERS = tuple(map(chr, range(32, 127)))
_ENDS = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}


def full_size_parts():
    """The modules of FLUX.1-Fill by their names in the pipeline, 16.9 billion parameters.

    Under torch.device("meta") they take no memory.
    """
    clip = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, **_ENDS
    )
    t5 = T5Config(
        d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu"
    )
    return {
        "transformer": FluxTransformer2DModel(in_channels=384, out_channels=64, guidance_embeds=True),
        "vae": _vae(channels=(128, 256, 512, 512), layers_per_block=2),
        "text_encoder": CLIPTextModel(clip),
        "text_encoder_2": T5EncoderModel(t5),
    }


def tiny_parts():
    """The same with 0.2 million parameters."""
    transformer = FluxTransformer2DModel(
        in_channels=384,
        out_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        axes_dims_rope=(4, 6, 6),
        guidance_embeds=True,
    )
    words = {"vocab_size": len(_SPECIAL) + len(_CHARACTERS)}
    clip = CLIPTextConfig(
        hidden_size=24,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TINY_PROMPT,
        **words,
        **_ENDS,
    )
    t5 = T5Config(d_model=32, d_ff=32, d_kv=8, num_layers=1, num_heads=2, use_cache=False, **words)
    return {
        "transformer": transformer,
        "vae": _vae(channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4),
        "text_encoder": CLIPTextModel(clip),
        "text_encoder_2": T5EncoderModel(t5),
    }


def _vae(channels, **more):
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        latent_channels=16,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        **more,
    )


def components(make=tiny_parts, seed=0, device="cpu", dtype=torch.float32):
    """All that a pipeline is made of: FluxFillCFGPipeline(**components()).

    make: full_size_parts or tiny_parts. Their weights are drawn on the device, in `dtype`, which for the full size takes
    seconds on a GPU.
    """
    before = torch.get_default_dtype()
    torch.manual_seed(seed)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            parts = make()
    finally:
        torch.set_default_dtype(before)
    clip = parts["text_encoder"].config.max_position_embeddings
    return {
        **{name: part.eval() for name, part in parts.items()},
        "tokenizer": _tokenizer(clip),
        "tokenizer_2": _tokenizer(TINY_PROMPT if make is tiny_parts else LONGEST_PROMPT),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    }


def _tokenizer(length):
    """One token for each character, and one for the end."""
    vocabulary = {token: i for i, token in enumerate((*_SPECIAL, *_CHARACTERS))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def save_lora(folder):
    """Write a random LoRA for the tiny transformer."""
    transformer = components()["transformer"]
    transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    FluxFillPipeline.save_lora_weights(folder, get_peft_model_state_dict(transformer))


def save_repositories(root):
    """Write tiny models as the hub has the full-size ones: root/OWNER/NAME/... Each transformer is another."""
    from .models import MODELS

    FluxFillPipeline(**components()).save_pretrained(root / MODELS["flux-fill"].base)
    for seed, name in enumerate(("onereward", "onereward-dynamic"), start=1):
        components(seed=seed)["transformer"].save_pretrained(root.joinpath(*MODELS[name].transformer))
    save_lora(root.joinpath(*MODELS["onereward-removal-lora"].lora))


def load_pipeline(name, memory="auto"):
    """`onereward_nb.load_pipeline` for a full-size model; where none runs, a tiny one of random weights in its place.

    The stand-in lies in repositories as the hub has them and is put together by the code that does so with the real
    ones, by the same memory plan, on the CPU.
    """
    from . import full_size
    from .models import MODELS, load_pipeline, obstacle_to, ready
    from .plans import PLANS

    model = MODELS[name]
    obstacle = obstacle_to(model)
    if obstacle is None:
        return load_pipeline(name, memory=memory)
    plan = PLANS["resident" if memory == "auto" else memory]
    why = obstacle.partition(". ")[0]
    print(textwrap.fill(f"{why}: a tiny model with random weights takes its place, and paints noise.", 100))
    root = _repositories()
    folders = {repository: root / repository for repository in full_size.files_of(model)}
    device = torch.device("cpu")
    pipe = ready(full_size.load(model, plan, folders, device, torch.float32, prompts=root), model, plan)
    pipe.default_size = _TINY_SIZE
    return pipe


@cache
def _temporary_folder():
    return tempfile.TemporaryDirectory(prefix="onereward_nb-")  # goes away with Python


@cache
def _repositories():
    root = Path(_temporary_folder().name)
    save_repositories(root)
    return root
