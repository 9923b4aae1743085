"""The parts of the small models, of diffusers' and transformers' own classes, with random weights."""

from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    T5Config,
    T5EncoderModel,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from .text import MAX_LENGTH, make_chat_tokenizer, make_tokenizer


def make_vae():
    """8 times down to 16 channels, like FLUX's VAE; about 2 million parameters."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 64, 96, 128),
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=8,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=128,
    )


def make_text_encoders():
    """A CLIP text model, whose pooled output tells the whole prompt; a T5 encoder, which tells each token."""
    tokens = len(make_tokenizer(with_bos=True))
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=96,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            projection_dim=96,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=2,
        )
    )
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=tokens,
            d_model=128,
            d_kv=32,
            d_ff=384,
            num_layers=4,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            pad_token_id=0,
            eos_token_id=1,
        )
    )
    return clip, t5


def make_transformer(guidance_embeds=False):
    """FLUX's transformer with FLUX Fill's 384 input channels: 64 noisy latents, 64 masked image, 256 mask."""
    transformer = FluxTransformer2DModel(
        in_channels=384,
        out_channels=64,
        num_layers=2,
        num_single_layers=7,
        attention_head_dim=48,
        num_attention_heads=4,
        joint_attention_dim=128,
        pooled_projection_dim=96,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(8, 20, 20),
    )
    start_at_identity(transformer)
    return transformer


def start_at_identity(transformer):
    """Zero the modulations and the last layer, so that every block begins as the identity.

    This is adaLN-Zero of arXiv 2212.09748.
    """
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and (name.endswith(".linear") or name == "proj_out"):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def make_scheduler():
    """FLUX's scheduler, with its shift of the noise levels by the number of image tokens."""
    return FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=256,
        max_image_seq_len=4096,
    )


def make_reward_model():
    """A Qwen2.5-VL that sees 128x128 pixels as 64 tokens; 6.6 million parameters.

    Its vision tower looks at all of a picture in every layer: there is nothing to save by windows at this size.
    """
    tokenizer = make_chat_tokenizer()
    depth, width = 6, 256
    # The library's 0.02 suits widths of a thousand and more. At this width all attention would start out even, and
    # nothing would tell the first picture from the second.
    spread = {"initializer_range": width**-0.5}
    vision = {
        "depth": depth,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_heads": 4,
        "patch_size": 8,
        "out_hidden_size": width,
        "window_size": 128,
        "fullatt_block_indexes": list(range(depth)),
        **spread,
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": 704,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 1024,
        # 32 pairs of channels turn with the token's time, row and column
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [8, 12, 12]},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **spread,
    }
    special = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
        for name, token in (
            ("image", "image_pad"),
            ("video", "video_pad"),
            ("vision_start", "vision_start"),
            ("vision_end", "vision_end"),
        )
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **special)
    )


def make_image_processor():
    """The reward model's image processor: whatever the size of a picture, it becomes 64 tokens or a few less."""
    area = 128 * 128
    return Qwen2VLImageProcessorPil(patch_size=8, size={"shortest_edge": area, "longest_edge": area})
