"""The reader: two small networks that say what stands where in a postcard, and which word stands on a sign.

They belong to the oracle: trained on renders alone, never used by a reward model or a policy.
"""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from .landscape import hill_line
from .rendering import silhouette
from .scenes import COLOURS, KINDS, LETTERS, LONGEST_WORD

SIZE = 128  # pictures are read at this size
SKY, LAND, FIRST_THING = 0, 1, 2
CLASSES = ("sky", "land", *KINDS)
FACE_SIZE = (32, 96)  # height and width at which the face of a sign is read


def true_classes(scene, size=SIZE):
    """The right answer of the picture reader: class of each pixel and colour of its thing (255: none), uint8 arrays."""
    ticks = (np.arange(size) + 0.5) / size
    land = np.minimum(*(np.interp(ticks, *hill_line(scene, row)) for row in (0, 1)))
    classes = (ticks[:, None] > land[None, :]).astype(np.uint8)
    colours = np.full((size, size), 255, np.uint8)
    for thing in scene.things:
        covered = np.asarray(silhouette(thing, size, lit_by=scene)) > 0
        classes[covered] = FIRST_THING + KINDS.index(thing.kind)
        colours[covered] = list(COLOURS).index(thing.colour)
    return classes, colours


def convolution(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.SiLU())


class PictureReader(nn.Module):
    """A small U-Net: (b, 3, 128, 128) from -1 to 1 to logits of class and colour, (b, 9 + 8, 64, 64), of 2x2 pixels each."""

    def __init__(self, widths=(24, 48, 64, 96)):
        super().__init__()
        self.first = convolution(3, widths[0], stride=2)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(convolution(a, b, 2), convolution(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(convolution(a + b, a) for a, b in pairs)
        self.last = nn.Conv2d(widths[0], len(CLASSES) + len(COLOURS), 1)

    def forward(self, pictures):
        x = self.first(pictures)
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(x)
        for up in reversed(self.up):
            x = up(torch.cat([seen.pop(), F.interpolate(x, scale_factor=2.0)], dim=1))
        return self.last(x)


class WordReader(nn.Module):
    """The face of a sign, (b, 3, 32, 96) from -1 to 1, to logits of its letters from left to right, (b, 4, 27); 26: none."""

    def __init__(self, widths=(24, 48, 64)):
        super().__init__()
        stages = [nn.Sequential(convolution(a, b, 2), convolution(b, b)) for a, b in pairwise((3, *widths))]
        self.body = nn.Sequential(*stages)
        places = FACE_SIZE[0] // 8 * FACE_SIZE[1] // 8
        self.letters = nn.Linear(widths[-1] * places, LONGEST_WORD * (len(LETTERS) + 1))

    def forward(self, faces):
        return self.letters(self.body(faces).flatten(1)).view(-1, LONGEST_WORD, len(LETTERS) + 1)


def as_tensor(images):
    """PIL images of one size to a float tensor (b, 3, height, width) from -1 to 1."""
    pixels = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def cut_face(image, sign, slack=(0, 0, 0, 0)):
    """The face of a sign in a picture, brought to FACE_SIZE; slack widens each side by a share of the sign's size."""
    box = [(v + s * sign.size) * image.width for v, s in zip(sign.face, slack, strict=True)]
    return image.resize(FACE_SIZE[::-1], Image.Resampling.BICUBIC, box=clamp(box, image.width))


def clamp(box, side):
    return tuple(min(max(v, 0), side) for v in box)


class Reader:
    """Both networks with their trained weights."""

    def __init__(self, folder):
        self.pictures, self.words = PictureReader(), WordReader()
        for network, name in ((self.pictures, "picture-reader"), (self.words, "word-reader")):
            weights = load_file(Path(folder) / f"{name}.safetensors")
            network.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
            network.eval()

    @torch.inference_mode()
    def read_pictures(self, images):
        """Class and colour of each pixel of some PIL images: two int arrays (n, 128, 128)."""
        logits = self.pictures(
            as_tensor([image.resize((SIZE, SIZE), Image.Resampling.BOX) for image in images])
        )
        logits = F.interpolate(logits, (SIZE, SIZE), mode="bilinear")
        return logits[:, : len(CLASSES)].argmax(1).numpy(), logits[:, len(CLASSES) :].argmax(1).numpy()

    @torch.inference_mode()
    def letter_chances(self, images, signs):
        """The chance of each letter at each place of the word on a known sign: float (n, 4, 27), the last for none."""
        faces = as_tensor([cut_face(image, sign) for image, sign in zip(images, signs, strict=True)])
        return self.words(faces).softmax(-1).numpy()


@lru_cache(maxsize=1)
def load_reader():
    """The reader that ships in assets/models/postcard-reader."""
    from ..models import models_folder

    return Reader(models_folder() / "postcard-reader")
