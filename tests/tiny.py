"""A tiny random Qwen2.5-VL and random pictures, to test with. The tiny random FLUX-Fill is `onereward_nb.stand_in`'s."""

import numpy as np
import torch
from PIL import Image

VISION_TOKENS = [f"<|{name}|>" for name in ("vision_start", "vision_end", "image_pad", "video_pad")]
CHAT_TEMPLATE = (
    "<|im_start|>system\nYou look at pictures.<|im_end|>\n{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_chat_tokenizer(words=("Yes", "No")):
    """One token for each character, and for each of the words, in Qwen2.5-VL's chat format."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *VISION_TOKENS]
    tokens = [*special, "<unk>", "\n", *words, *map(chr, range(32, 127))]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("|".join([*words, ".", "\n"])), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token="<unk>",
        additional_special_tokens=special[1:],
        chat_template=CHAT_TEMPLATE,
    )


def tiny_reward_parts(seed=0):
    """A Qwen2.5-VL with windows and full attention, random and small, its tokenizer and image processor."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    torch.manual_seed(seed)
    tokenizer = tiny_chat_tokenizer()
    names = ("vision_start", "vision_end", "image", "video")
    ids = tokenizer.convert_tokens_to_ids(VISION_TOKENS)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 48,
            "window_size": 56,
            "fullatt_block_indexes": [1],
            "initializer_range": 0.2,
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 4, 4]},
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "initializer_range": 0.2,
        },
        **{f"{name}_token_id": token for name, token in zip(names, ids, strict=True)},
    )
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    size = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 40}
    return model, tokenizer, Qwen2VLImageProcessorPil(size=size)


def save_reward_parts(folder, parts):
    """In the layout of Qwen/Qwen2.5-VL-7B-Instruct."""
    for part in parts:
        part.save_pretrained(folder)
    return folder


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
