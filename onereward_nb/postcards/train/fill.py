"""Train the fill model:
python -m onereward_nb.postcards.train fill --vae runs/vae/vae --minutes 120 --out runs/fill

Several processes: accelerate launch --multi_gpu --num_processes 2 -m onereward_nb.postcards.train fill ...
(with --device cpu they are processes on CPUs; accelerate's own option --cpu would start one only)
"""

import json
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, FluxFillPipeline, FluxTransformer2DModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextModel, T5EncoderModel

from ...evaluation import TUNING
from ...files import write, write_folder, write_json
from ...models import MODELS
from ...pipeline import FluxFillCFGPipeline
from ..architecture import make_scheduler, make_text_encoders, make_transformer
from ..showcase import showcase
from ..text import MAX_LENGTH, make_tokenizer
from .data import training_edits
from .run import OPENING, Run, adamw, arguments

# of the loss: how well the masked part is filled; the rest: how well the visible part is copied
INSIDE_SHARE = 0.9


class FillLoss(nn.Module):
    """The transformer with its text encoders, and the flow-matching loss of predicting the velocity."""

    def __init__(self, transformer, clip, t5):
        super().__init__()
        self.transformer, self.clip, self.t5 = transformer, clip, t5

    def forward(self, batch):
        """The loss of one batch.

        batch: packed latents and masked latents (b, 64, 64), packed masks (b, 64, 256), tokens (b, 32) of
            both encoders, positions (64, 3).
        """
        noisy, sigma, velocity = add_noise(batch["latents"])
        predicted = predict(self.transformer, noisy, sigma, batch, *self.read(batch))
        return masked_error(predicted, velocity, batch["masks"])

    def read(self, batch):
        """The prompts of a batch as the transformer takes them: of each token (b, 32, 128), and whole (b, 96)."""
        return self.t5(batch["t5_tokens"]).last_hidden_state, self.clip(batch["clip_tokens"]).pooler_output


def add_noise(latents):
    """Noisy latents, their noise levels sigma (b,), drawn as in SD3, arXiv 2403.03206, and their velocity."""
    sigma = torch.randn(len(latents), device=latents.device).sigmoid()
    noise = torch.randn_like(latents)
    return torch.lerp(latents, noise, sigma[:, None, None]), sigma, noise - latents


def predict(transformer, noisy, sigma, batch, embeddings, pooled, guidance=None):
    """The velocity (b, 64, 64) that a transformer predicts; guidance: scales (b,) for a distilled one."""
    return transformer(
        hidden_states=torch.cat([noisy, batch["masked_latents"], batch["masks"]], dim=-1),
        timestep=sigma,
        guidance=guidance,
        encoder_hidden_states=embeddings,
        pooled_projections=pooled,
        txt_ids=torch.zeros(MAX_LENGTH, 3, device=noisy.device),
        img_ids=batch["positions"],
    ).sample


def masked_error(predicted, velocity, masks):
    """The mean squared error of velocities (b, 64, 64), the most of it from what is masked."""
    # (b, 64, 4): the error of each latent pixel, and the share of it that is masked
    error = (predicted.float() - velocity).square().unflatten(-1, (16, 4)).mean(dim=2)
    masked = masks.unflatten(-1, (8, 8, 4)).mean(dim=(2, 3))
    inside, outside = weighted_mean(error, masked), weighted_mean(error, 1 - masked)
    return (INSIDE_SHARE * inside + (1 - INSIDE_SHARE) * outside).mean()


def weighted_mean(values, weights):
    return (values * weights).sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp(min=1e-6)


def pack(latents):
    """(n, channels, height, width) to (n, tokens, 4 channels), as FLUX packs 2 by 2 latent pixels."""
    return FluxFillPipeline._pack_latents(latents, *latents.shape)


def pack_masks(bits):
    """Packed bits (n, 2048) of 128x128 masks to (n, 64, 256): 8x8 pixels to channels, then 2x2 packed."""
    powers = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8, device=bits.device)
    mask = (bits[..., None] & powers).ne(0).view(-1, 16, 8, 16, 8)
    return pack(mask.permute(0, 2, 4, 1, 3).flatten(1, 2).float())


@torch.inference_mode()
def encode(vae, pictures, device, masks=None):
    """Pictures, uint8 (n, 128, 128, 3), their masks greyed out, to packed normalised latents (n, 64, 64)."""
    scale, shift = vae.config.scaling_factor, vae.config.shift_factor
    result = []
    for start in range(0, len(pictures), 256):
        batch = torch.from_numpy(pictures[start : start + 256]).to(device).permute(0, 3, 1, 2)
        batch = batch.to(vae.dtype) / 127.5 - 1
        if masks is not None:
            visible = 1 - np.unpackbits(masks[start : start + 256], axis=1).reshape(-1, 1, 128, 128)
            batch = batch * torch.from_numpy(visible).to(device, vae.dtype)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            latents = vae.encode(batch).latent_dist
        latents = latents.mean if masks is None else latents.sample()  # the pipeline samples what it sees
        result.append(pack((latents - shift).float() * scale).half().cpu())
    return torch.cat(result)


def prepare_data(args, run):
    """Draw and encode the training set, or load what an earlier stretch left: a dictionary of tensors."""
    path = args.out / f"data-{data_key(args)}.safetensors"
    with run.accelerator.main_process_first():
        if not path.exists():
            data = draw_data(args, run.device)
            write(path, partial(save_file, data))
    return {name: tensor.to(run.device) for name, tensor in load_file(path).items()}


def data_key(args):
    """What the training set was made from, as a short name: the VAE's weights and the scenes."""
    weights = sorted(args.vae.glob("*.safetensors"))
    parts = [*(path.read_bytes() for path in weights), f"{args.first_seed}, {args.scenes}".encode()]
    return sha256(b"".join(parts)).hexdigest()[:12]


def draw_data(args, device):
    vae = AutoencoderKL.from_pretrained(args.vae, **OPENING).to(device)
    parts, drawn = [], 0
    for pictures, shown, masks, prompts in training_edits(
        range(args.first_seed, args.first_seed + args.scenes)
    ):
        masked = [
            encode(vae, pictures[shown[i : i + 5000]], device, masks[i : i + 5000])
            for i in range(0, len(shown), 5000)
        ]
        part = {
            "latents": encode(vae, pictures, device),
            "shown": torch.from_numpy(shown) + drawn,
            "masks": torch.from_numpy(masks),
            "masked_latents": torch.cat(masked),
            "clip_tokens": tokenize(prompts, with_bos=True),
            "t5_tokens": tokenize(prompts, with_bos=False),
        }
        parts.append(part)
        drawn += len(pictures)
        print(f"{drawn} pictures drawn and encoded", flush=True)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def tokenize(prompts, with_bos):
    tokens = make_tokenizer(with_bos)(
        prompts, padding="max_length", max_length=MAX_LENGTH, truncation=True, return_tensors="pt"
    )
    return tokens.input_ids.to(torch.uint8)


def draw_batch(data, count, positions):
    """A random batch of the training set, ready for FillLoss."""
    chosen = torch.randint(len(data["shown"]), (count,), device=data["shown"].device)
    return {
        "latents": data["latents"][data["shown"][chosen]].float(),
        "masked_latents": data["masked_latents"][chosen].float(),
        "masks": pack_masks(data["masks"][chosen]),
        "clip_tokens": data["clip_tokens"][chosen].long(),
        "t5_tokens": data["t5_tokens"][chosen].long(),
        "positions": positions,
    }


def trained_networks(folder):
    """Transformer and text encoders of a pipeline that was saved before."""
    parts = {
        "transformer": FluxTransformer2DModel,
        "text_encoder": CLIPTextModel,
        "text_encoder_2": T5EncoderModel,
    }
    return [network.from_pretrained(folder / name, **OPENING) for name, network in parts.items()]


def as_pipeline(pipeline, model, vae):
    """The networks in training, the VAE of a folder and what else belongs to it, as a pipeline of a given class."""
    return pipeline(
        scheduler=make_scheduler(),
        vae=AutoencoderKL.from_pretrained(vae, **OPENING),
        text_encoder=model.clip,
        tokenizer=make_tokenizer(with_bos=True),
        text_encoder_2=model.t5,
        tokenizer_2=make_tokenizer(with_bos=False),
        transformer=model.transformer,
    )


def sample(model, vae, device):
    """Edits of each kind by the networks as they are, on examples that no training sees: a Picture."""
    pipe = as_pipeline(FluxFillCFGPipeline, model, vae).to(device)
    pipe.settings = MODELS["postcard-fill"].settings
    pipe.set_progress_bar_config(disable=True)
    return showcase(pipe, TUNING)


def save_pipeline(model, vae, folder):
    """Everything in diffusers' layout, bf16 safetensors: opens with FluxFillPipeline.from_pretrained."""
    pipe = as_pipeline(FluxFillPipeline, model, vae).to(torch.bfloat16)

    def save(temporary):
        pipe.save_pretrained(temporary)
        for encoder in ("text_encoder", "text_encoder_2"):
            # stored in bf16, opened in float32 as diffusers opens the rest
            path = temporary / encoder / "config.json"
            write_json(path, json.loads(path.read_text()) | {"dtype": "float32"})
        path = temporary / "transformer" / "config.json"
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)  # the folder that training started from, on this machine
        write_json(path, config)

    write_folder(folder, save)


def train(run, model, sample):
    """Take steps until the stretch is over. Returns the model, bare and averaged.

    model: a loss of batches as draw_batch makes them. sample: as for Run.prepare.
    """
    args = run.args
    data = prepare_data(args, run)
    positions = FluxFillPipeline._prepare_latent_image_ids(1, 8, 8, run.device, torch.float32)
    run.compile(model)
    run.prepare(model, adamw(model, args.lr), sample)
    while run.share < 1:
        with run.accelerator.autocast():
            loss = run.model(draw_batch(data, args.batch, positions))
        run.optimize(loss)
    return run.finish()


def main():
    parser = arguments(__doc__, scenes=24000, batch=64, lr=1e-3)
    parser.add_argument("--vae", type=Path, required=True, help="folder of the trained VAE")
    parser.add_argument("--start-from", type=Path, help="folder of a pipeline whose weights to train on")
    parser.add_argument("--first-seed", type=int, default=100_000, help="seed of the first training scene")
    args = parser.parse_args()
    run = Run(args)
    networks = (
        trained_networks(args.start_from) if args.start_from else (make_transformer(), *make_text_encoders())
    )
    model = FillLoss(*networks).to(run.device)
    model = train(run, model, partial(sample, model, args.vae, run.device))
    if run.accelerator.is_main_process:
        save_pipeline(model, args.vae, args.out / "postcard-fill")
        print(f"pipeline written to {args.out / 'postcard-fill'}")
