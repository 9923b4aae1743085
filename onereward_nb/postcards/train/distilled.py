"""Train the guidance-distilled fill model, whose one prediction does what true CFG does with two:
python -m onereward_nb.postcards.train distilled --teacher assets/models/postcard-fill --minutes 60 --out runs/distilled

As Meng et al. distil guidance, arXiv 2210.03142, and as FLUX.1-Fill-dev was made.
"""

from functools import partial
from pathlib import Path

import torch
from torch import nn

from ...evaluation import TUNING
from ...files import write_folder
from ...models import MODELS
from ...pipeline import FluxFillCFGPipeline
from ..architecture import make_transformer
from ..showcase import showcase
from .fill import FillLoss, add_noise, as_pipeline, masked_error, predict, tokenize, train, trained_networks
from .run import Run, arguments

SCALES = (1.0, 8.0)  # of the teacher's true CFG, and so of the student's guidance_scale


class DistillationLoss(nn.Module):
    """A student that is told the scale, and how far it is from the teacher's velocity under true CFG."""

    def __init__(self, student, teacher):
        super().__init__()
        self.student = student
        # the teacher is no part of what is trained
        self.guided = partial(guided_velocity, teacher.requires_grad_(False), empty_prompt(teacher))

    def forward(self, batch):
        noisy, sigma, _ = add_noise(batch["latents"])
        scale = torch.empty_like(sigma).uniform_(*SCALES)
        target, texts = self.guided(noisy, sigma, batch, scale)
        return masked_error(predict(self.student, noisy, sigma, batch, *texts, scale), target, batch["masks"])


@torch.no_grad()
def guided_velocity(teacher, empty, noisy, sigma, batch, scale):
    """v_neg + s (v_pos - v_neg), the negative prompt empty; and the prompts as the transformer takes them."""
    texts = teacher.read(batch)
    nothing = [text.expand(len(noisy), *text.shape[1:]) for text in teacher.read(empty)]
    v_pos, v_neg = (
        predict(teacher.transformer, noisy, sigma, batch, *each).float() for each in (texts, nothing)
    )
    return v_neg + scale[:, None, None] * (v_pos - v_neg), texts


def empty_prompt(teacher):
    """The tokens of the empty prompt, (1, 32) for both encoders, where the teacher is."""
    tokens = {"clip_tokens": tokenize([""], with_bos=True), "t5_tokens": tokenize([""], with_bos=False)}
    return {name: ids.to(teacher.transformer.device).long() for name, ids in tokens.items()}


def make_student(teacher):
    """The teacher's weights in a transformer that takes a scale, which changes nothing at first."""
    student = make_transformer(guidance_embeds=True)
    missing, unexpected = student.load_state_dict(teacher.state_dict(), strict=False)
    assert not unexpected and all("guidance_embedder" in name for name in missing)
    last = student.time_text_embed.guidance_embedder.linear_2
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return student


def sample(model, teacher, vae, device):
    """Edits of each kind by the student as it is: a Picture."""
    networks = FillLoss(model.student, teacher.clip, teacher.t5)
    pipe = as_pipeline(FluxFillCFGPipeline, networks, vae).to(device)
    pipe.settings = MODELS["postcard-fill-distilled"].settings
    pipe.set_progress_bar_config(disable=True)
    return showcase(pipe, TUNING)


def main():
    parser = arguments(__doc__, scenes=24000, batch=64, lr=5e-4)
    parser.add_argument("--teacher", type=Path, required=True, help="folder of the pipeline to distil")
    parser.add_argument("--first-seed", type=int, default=100_000, help="seed of the first training scene")
    args = parser.parse_args()
    args.vae = args.teacher / "vae"
    run = Run(args)
    teacher = FillLoss(*trained_networks(args.teacher)).to(run.device)
    model = DistillationLoss(make_student(teacher.transformer), teacher).to(run.device)
    model = train(run, model, partial(sample, model, teacher, args.vae, run.device))
    if run.accelerator.is_main_process:
        folder = args.out / "postcard-fill-distilled"
        write_folder(folder / "transformer", model.student.to(torch.bfloat16).save_pretrained)
        print(f"transformer written to {folder}")
