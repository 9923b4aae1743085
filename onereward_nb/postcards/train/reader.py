"""Train the oracle's reader: python -m onereward_nb.postcards.train reader --minutes 20 --out runs/reader"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import nn

from ...files import write
from ..reader import CLASSES, FACE_SIZE, PictureReader, WordReader, cut_face, true_classes
from ..rendering import render
from ..scenes import LETTERS, LONGEST_WORD, make_scene
from .data import draw_in_parallel
from .run import OPENING, Run, arguments


def labelled(seed):
    """A scene's picture with the class and colour of each pixel, and the faces of its signs with their words."""
    rng = np.random.default_rng([seed, 8])
    scene = make_scene(seed, ("sign",) if rng.random() < 0.6 else ())
    picture = render(scene)
    faces, words = [], []
    for sign in (thing for thing in scene.things if thing.kind == "sign"):
        shown = [(picture, sign.word)] * 2
        if rng.random() < 0.3:  # so that a sign without a word is read as one
            blank = replace(sign, word=" " * len(sign.word))
            shown.append((render(scene.without(sign).with_things(blank)), ""))
        for image, word in shown:
            faces.append(np.asarray(cut_face(image, sign, rng.uniform(-0.02, 0.02, 4))))
            words.append(
                [LETTERS.index(letter) for letter in word] + [len(LETTERS)] * (LONGEST_WORD - len(word))
            )
    return (
        np.asarray(picture),
        *(labels[::2, ::2] for labels in true_classes(scene)),  # at the size of the logits
        np.array(faces).reshape(-1, *FACE_SIZE, 3),
        np.array(words).reshape(-1, LONGEST_WORD),
    )


class ReaderLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.pictures, self.words = PictureReader(), WordReader()

    def forward(self, pictures, classes, colours, faces, words):
        logits = self.pictures(pictures).float()
        loss = F.cross_entropy(logits[:, : len(CLASSES)], classes)
        loss = loss + F.cross_entropy(logits[:, len(CLASSES) :], colours, ignore_index=255)
        return loss + F.cross_entropy(self.words(faces).float().flatten(0, 1), words.flatten())


def worn(images):
    """Pictures as a diffusion model might leave them: a little noisy, blurred, and off in colour, each by chance."""
    count, device = len(images), images.device
    some = partial(torch.rand, count, 1, 1, 1, device=device)
    blurred = F.avg_pool2d(images, 3, 1, 1)
    images = torch.lerp(images, blurred, (some() - 0.4).clamp(min=0))
    images = images + torch.randn_like(images) * 0.12 * (some() - 0.5).clamp(min=0)
    return images * (1 + 0.06 * (some() - 0.5)) + 0.06 * (torch.rand(count, 3, 1, 1, device=device) - 0.5)


def main():
    parser = arguments(__doc__, scenes=6000, batch=24, lr=2e-3)
    parser.add_argument("--vae", type=Path, help="folder of the VAE, to learn from its pictures too")
    args = parser.parse_args()
    run = Run(args)
    drawn = zip(*draw_in_parallel(labelled, range(200_000, 200_000 + args.scenes)), strict=True)
    pictures, classes, colours, faces, words = (
        np.stack(a) if i < 3 else np.concatenate(a) for i, a in enumerate(drawn)
    )
    data = [torch.from_numpy(array).to(run.device) for array in (pictures, classes, colours, faces, words)]
    if args.vae:  # every fourth picture as the VAE gives it back
        data[0][::4] = through_vae(args.vae, data[0][::4])
    model = ReaderLoss().to(run.device, memory_format=torch.channels_last)
    run.prepare(model, torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.01))
    while run.share < 1:
        i = torch.randint(len(data[0]), (args.batch,), device=run.device)
        j = torch.randint(len(data[3]), (2 * args.batch,), device=run.device)
        pictures, faces = (
            worn(chosen.permute(0, 3, 1, 2).float() / 127.5 - 1) for chosen in (data[0][i], data[3][j])
        )
        with run.accelerator.autocast():
            loss = run.model(pictures, data[1][i].long(), data[2][i].long(), faces, data[4][j].long())
        run.optimize(loss)
    model = run.finish()
    if run.accelerator.is_main_process:
        for network, name in ((model.pictures, "picture-reader"), (model.words, "word-reader")):
            weights = {
                key: tensor.detach().to("cpu", torch.bfloat16).contiguous()
                for key, tensor in network.state_dict().items()
            }
            write(args.out / f"{name}.safetensors", partial(save_file, weights))
        print(f"readers written to {args.out}")


@torch.inference_mode()
def through_vae(folder, pictures):
    """The pictures as the VAE gives them back, uint8."""
    vae = AutoencoderKL.from_pretrained(folder, **OPENING).to(pictures.device)
    returned = []
    for batch in pictures.split(128):
        latents = vae.encode(batch.permute(0, 3, 1, 2).float() / 127.5 - 1).latent_dist.mean
        result = (vae.decode(latents).sample.clamp(-1, 1) + 1) * 127.5
        returned.append(result.round().to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(returned)
