"""A tiny random FLUX-Fill and random pictures, to test with."""

import numpy as np
import torch
from PIL import Image

TEXT_TOKENS = 12


def tiny_tokenizer(length):
    """One token for each character, with the ends marked."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>"]
    vocabulary = {token: i for i, token in enumerate([*special, *map(chr, range(32, 127))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
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


def tiny_components(guidance_embeds=False, seed=0):
    """The parts of a FLUX-Fill pipeline, random and small, by their names in the pipeline."""
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    torch.manual_seed(seed)
    channels = (8, 8, 8, 8)
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
        guidance_embeds=guidance_embeds,
    )
    clip = CLIPTextConfig(
        vocab_size=98,
        hidden_size=24,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TEXT_TOKENS,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=1,
    )
    t5 = T5Config(vocab_size=98, d_model=32, d_ff=32, d_kv=8, num_layers=1, num_heads=2, use_cache=False)
    return {
        "transformer": transformer,
        "vae": AutoencoderKL(
            block_out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=16,
            use_quant_conv=False,
            use_post_quant_conv=False,
            scaling_factor=0.36,
            shift_factor=0.12,
        ),
        "text_encoder": CLIPTextModel(clip),
        "text_encoder_2": T5EncoderModel(t5),
        "tokenizer": tiny_tokenizer(TEXT_TOKENS),
        "tokenizer_2": tiny_tokenizer(TEXT_TOKENS),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    }


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def random_picture(width=48, height=32, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def random_mask(width=48, height=32, seed=0):
    """A random box with random holes: odd shapes, never empty, never full."""
    rng = np.random.default_rng(seed + 1000)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
    mask[rng.random((height, width)) < 0.1] = 0
    mask[height // 2, width // 2] = 255
    return Image.fromarray(mask)
