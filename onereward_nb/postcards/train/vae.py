"""Train the VAE: python -m onereward_nb.postcards.train vae --minutes 60 --out runs/vae"""

from functools import partial

import torch
import torch.nn.functional as F
from diffusers.image_processor import VaeImageProcessor
from torch import nn

from ...files import write_folder
from ...grids import grid
from ..architecture import make_vae
from .data import SIZE, training_pictures
from .run import Run, arguments


class VAELoss(nn.Module):
    """The VAE and how far its pictures are off: L1, MSE, the L1 of neighbours' differences, a little KL."""

    def __init__(self, vae, kl_weight=3e-5):
        super().__init__()
        self.vae, self.kl_weight = vae, kl_weight

    def forward(self, pictures):
        """pictures: (batch, 3, height, width), -1 to 1."""
        latents = self.vae.encode(pictures).latent_dist
        result = self.vae.decode(latents.sample()).sample.float()
        error = F.l1_loss(result, pictures) + F.mse_loss(result, pictures)
        edges = F.l1_loss(result.diff(dim=2), pictures.diff(dim=2)) + F.l1_loss(
            result.diff(dim=3), pictures.diff(dim=3)
        )
        return error + 2 * edges + self.kl_weight * latents.kl().mean() / pictures[0, 0].numel() * 64


def random_crops(pictures, count, side, device):
    """count square crops of the pictures, at random places: (count, 3, side, side), -1 to 1."""
    chosen = torch.randint(len(pictures), (count, 1, 1))
    top, left = torch.randint(pictures.shape[1] - side + 1, (2, count, 1, 1))
    rows, columns = top + torch.arange(side)[:, None], left + torch.arange(side)
    crops = pictures[chosen, rows, columns].to(device)
    return crops.permute(0, 3, 1, 2).float() / 127.5 - 1


def settle_scale(vae, pictures):
    """Set scaling and shift so that latents have mean 0 and deviation 1."""
    with torch.inference_mode():
        latents = torch.cat([vae.encode(batch).latent_dist.mean.float() for batch in pictures.split(64)])
    shift, scale = latents.mean().item(), 1 / latents.std().item()
    vae.register_to_config(scaling_factor=scale, shift_factor=shift)


@torch.inference_mode()
def sample(vae, pictures):
    """Pictures, (n, 3, side, side) from -1 to 1, above what the VAE makes of them: a Picture."""
    rows = [pictures, vae.decode(vae.encode(pictures).latent_dist.mean).sample]
    processor = VaeImageProcessor()
    return grid([processor.postprocess(row) for row in rows], row_titles=["drawn", "returned"])


def main():
    parser = arguments(__doc__, scenes=6000, batch=24, lr=1e-3)
    parser.add_argument(
        "--crop", type=int, default=64, help="side of the training crops in pixels, 128 for whole pictures"
    )
    args = parser.parse_args()
    run = Run(args)
    pictures = torch.from_numpy(training_pictures(range(args.scenes)))
    if run.device.type == "cuda":
        pictures = pictures.to(run.device)
    model = VAELoss(make_vae()).to(run.device, memory_format=torch.channels_last)
    if run.device.type == "cuda":
        model.compile()
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, betas=(0.9, 0.99), weight_decay=0.0)
    shown = random_crops(pictures, 6, SIZE, run.device)
    run.prepare(model, optimizer, partial(sample, model.vae, shown))
    while run.share < 1:
        with run.accelerator.autocast():
            loss = run.model(random_crops(pictures, args.batch, args.crop, run.device))
        run.optimize(loss)
    vae = run.finish().vae.eval()
    settle_scale(vae, random_crops(pictures, 512, 128, run.device))
    if run.accelerator.is_main_process:
        write_folder(args.out / "vae", vae.to(torch.bfloat16).save_pretrained)
        scale, shift = vae.config.scaling_factor, vae.config.shift_factor
        print(f"VAE written to {args.out / 'vae'}: scaling {scale:.4f}, shift {shift:.4f}")
