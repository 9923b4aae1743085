"""How Qwen2.5-VL sees: pictures become tokens, with a gradient to every pixel, many pictures of one size at once.

transformers' image processor works on PIL images and on the CPU, and its vision tower goes through a batch picture by
picture. What is here gives the same numbers for tensors on any device, in one pass that torch.compile takes whole.

Sizes of Qwen2.5-VL: the vision tower reads patches of 14x14 pixels, and makes one token of 2x2 patches. Most of its
layers look at windows of 112x112 pixels only. The small model has patches of 8x8 pixels and sees all of a picture.

Source: Qwen2.5-VL, arXiv 2502.13923; transformers, models/qwen2_vl and models/qwen2_5_vl.
"""

import torch
import torch.nn.functional as F
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

THETA = 10_000.0  # the base of the vision tower's rotary positions


def fit(pictures, processor):
    """Pictures resized to whole tokens, and to as few or many as the image processor allows: (n, 3, height, width).

    Bicubic with antialiasing, as Pillow does it. A size that fits already is left as it is.
    """
    sides = smart_resize(
        *pictures.shape[2:],
        factor=processor.patch_size * processor.merge_size,
        min_pixels=processor.size.shortest_edge,
        max_pixels=processor.size.longest_edge,
    )
    if sides == tuple(pictures.shape[2:]):
        return pictures
    return F.interpolate(pictures, sides, mode="bicubic", antialias=True).clamp(0, 1)


def patchify(pictures, processor):
    """Normalised patches as the vision tower takes them: (n, patches, numbers), the 4 patches of a token together.

    pictures: (n, 3, height, width) from 0 to 1, of a size that fits. A still picture counts as a film of two equal
    frames, so each patch has its pixels twice.
    """
    mean, std = (
        torch.tensor(values, device=pictures.device, dtype=pictures.dtype).view(3, 1, 1)
        for values in (processor.image_mean, processor.image_std)
    )
    side, merge = processor.patch_size, processor.merge_size
    patches = ((pictures - mean) / std).unflatten(2, (-1, merge, side)).unflatten(5, (-1, merge, side))
    # (n, channel, row, row in token, y, column, column in token, x), to one patch after the other
    patches = patches.permute(0, 2, 5, 3, 6, 1, 4, 7).flatten(1, 4)
    frames = patches.unsqueeze(3).expand(-1, -1, -1, processor.temporal_patch_size, -1, -1)
    return frames.flatten(2)


def see(tower, processor, pictures):
    """What the vision tower makes of pictures of one size.

    Args:
        tower: the vision tower of a Qwen2.5-VL, `model.model.visual`.
        processor: its image processor, for the sizes and the normalisation.
        pictures: (n, 3, height, width) from 0 to 1.

    Returns:
        Tokens (n, rows x columns, width of the language model), and the grid (rows, columns) that they form.
    """
    pictures = fit(pictures, processor)
    grid = tuple(side // processor.patch_size for side in pictures.shape[2:])  # of patches
    place = places(grid, processor.merge_size, pictures.device)
    first = tower.patch_embed.proj.weight.flatten(1)  # a convolution that never overlaps is a linear layer
    x = F.linear(patchify(pictures, processor).to(first.dtype), first)
    turn = rotation(place, x.shape[2] // tower.config.num_heads)
    window = None
    if len(tower.config.fullatt_block_indexes) < len(tower.blocks):
        window = same_window(place, tower.config.window_size // processor.patch_size)
    for number, block in enumerate(tower.blocks):
        sees_all = number in tower.config.fullatt_block_indexes
        x = x + attend(block.attn, block.norm1(x), turn, None if sees_all else window)
        x = x + block.mlp(block.norm2(x))
    tokens = tower.merger(x).view(len(pictures), -1, tower.config.out_hidden_size)
    return tokens, tuple(side // processor.merge_size for side in grid)


def places(grid, merge, device=None):
    """Row and column of each patch in the order of patchify: (patches, 2)."""
    rows, columns = torch.meshgrid(*(torch.arange(side, device=device) for side in grid), indexing="ij")
    place = torch.stack([rows, columns], dim=-1)
    return place.unflatten(1, (-1, merge)).unflatten(0, (-1, merge)).transpose(1, 2).reshape(-1, 2)


def rotation(place, width):
    """Cosine and sine of the angles by which queries and keys of each patch are turned: (patches, width) each."""
    speeds = THETA ** -(torch.arange(0, width // 2, 2, device=place.device) / (width // 2))
    angles = (place[:, :, None] * speeds).flatten(1).repeat(1, 2)
    return angles.cos(), angles.sin()


def same_window(place, side):
    """Which patches may look at each other where a layer looks at windows of side x side patches: bool (p, p)."""
    window = place // side
    return (window[:, None] == window[None]).all(dim=-1)


def attend(attention, x, turn, window):
    """One attention layer of the vision tower, on (n, patches, width)."""
    heads = attention.num_heads
    q, k, v = attention.qkv(x).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    q, k = (turned(each.float(), *turn).to(v.dtype) for each in (q, k))
    seen = F.scaled_dot_product_attention(q, k, v, attn_mask=window)
    return attention.proj(seen.transpose(1, 2).flatten(2))


def turned(x, cosine, sine):
    one, other = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-other, one], dim=-1) * sine
