"""The painted region put back into the input, so that everything else stays what it was."""

import numpy as np
import torch
from PIL import Image

from .masks import feather
from .preparation import rows


def paste_back(painted, pictures, masks, paste):
    """The batch to show.

    painted: decoded pictures (batch, 3, height, width) from 0 to 1. pictures (n, height, width, 3) and masks
    (m, height, width): the input, float32 arrays. paste: "exact", "feather" (the border is 1/32 of the
        shorter side,
    at least 2 pixels) or None, which leaves `painted` alone. Outside the mask and its border float32 values
    are the input's own.
    """
    if paste is None:
        return painted
    if paste == "feather":
        border = max(2, min(masks.shape[1:]) // 32)
        masks = np.stack([_soft(mask, border) for mask in masks])
    pictures = rows(torch.from_numpy(pictures).permute(0, 3, 1, 2), len(painted)).to(painted.device)
    opacity = rows(torch.from_numpy(masks)[:, None], len(painted)).to(painted.device)
    return torch.where(opacity > 0, torch.lerp(pictures, painted.float(), opacity), pictures)


def _soft(mask, border):
    return np.asarray(feather(Image.fromarray(np.uint8(mask * 255)), border), np.float32) / 255
