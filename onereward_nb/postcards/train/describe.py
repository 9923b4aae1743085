"""Teach the small reward model to see, before it learns to judge:
python -m onereward_nb.postcards.train describe --minutes 4 --out runs/describe

The paper begins with a Qwen2.5-VL that has been trained on pictures and texts. This is what ours gets in its place:
next-token prediction of what two pictures show, and of what one shows and the other lacks.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from ...evaluation import TUNING
from ...grids import grid
from ...queries import script
from ..describing import QUESTIONS, lesson
from ..text import make_chat_tokenizer
from .data import draw_in_parallel
from .judging import Viewer, as_pixels, network, save_network
from .run import Run, adamw, arguments

FIRST_SEED = 600_000  # where no other training draws
IGNORED = 0  # stands where no token is to be predicted: in what was asked, and in what fills up


class LessonLoss(Viewer):
    """The network, and how badly it predicts each next token of an answer."""

    def forward(self, pictures, texts, answers):
        """The mean cross-entropy of a batch.

        pictures: uint8 (n, 2, 128, 128, 3). texts: (n, length), a question and its answer. answers: the same, with
        IGNORED in place of what is not to be predicted.
        """
        tokens, grid = self.see(as_pixels(pictures.flatten(0, 1)))
        first, second = tokens.unflatten(0, (-1, 2)).unbind(1)
        logits = self.model.lm_head(self.read((first, grid), (second, grid), texts))
        return F.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), answers[:, 1:].flatten(), ignore_index=IGNORED
        )


def write_down(answers):
    """Questions with their answers as tokens: uint8 (lessons, questions, length), and where the answers stand."""
    tokenizer = make_chat_tokenizer()
    asked = [script(tokenizer, question).tail for question in QUESTIONS.values()]
    ends = tokenizer(tokenizer.eos_token).input_ids
    said = tokenizer([text for each in answers for text in each], add_special_tokens=False).input_ids
    rows = [
        torch.cat([asked[place % len(asked)], torch.tensor(ids + ends)]) for place, ids in enumerate(said)
    ]
    texts = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=IGNORED)
    starts = torch.tensor([len(tail) for tail in asked]).repeat(len(answers))
    is_answer = (torch.arange(texts.shape[1]) >= starts[:, None]) & (texts != IGNORED)
    shape = (len(answers), len(asked), -1)
    return texts.to(torch.uint8).view(shape), (texts * is_answer).to(torch.uint8).view(shape)


@torch.inference_mode()
def describe(model, pictures, question, longest=48):
    """The likeliest words of the model about two pictures, uint8 (2, 128, 128, 3), token by token."""
    tokenizer = make_chat_tokenizer()
    tokens, shape = model.see(as_pixels(pictures))
    text = script(tokenizer, question).tail[None].to(tokens.device)
    asked = text.shape[1]
    while text.shape[1] < asked + longest:
        hidden = model.read((tokens[:1], shape), (tokens[1:], shape), text)
        text = torch.cat([text, model.model.lm_head(hidden[:, -1:]).argmax(-1)], dim=1)
        if text[0, -1] == tokenizer.eos_token_id:
            break
    return tokenizer.decode(text[0, asked:], skip_special_tokens=True)


def sample(model, count=3):
    """Pictures that no training sees, with what the model says of them: a Picture."""
    shown = [lesson(seed)[0] for seed in range(TUNING, TUNING + count)]
    on_device = [torch.from_numpy(pictures).to(model.head.device) for pictures in shown]
    questions = [QUESTIONS["first"], QUESTIONS["only first"]]
    said = [[describe(model, pictures, question) for pictures in on_device] for question in questions]
    return grid(
        [[pair[place] for pair in shown] for place in (0, 1)],
        [words for row in said for words in row],
        ["first, described", "second, what it lacks"],
    )


def main():
    parser = arguments(__doc__, scenes=24000, batch=64, lr=1e-3)
    args = parser.parse_args()
    run = Run(args)
    drawn = zip(*draw_in_parallel(lesson, range(FIRST_SEED, FIRST_SEED + args.scenes)), strict=True)
    pictures, answers = drawn
    pictures = torch.from_numpy(np.stack(pictures)).to(run.device)
    texts, answers = (each.to(run.device) for each in write_down(answers))
    model = LessonLoss(network()).to(run.device)
    run.compile(model)
    run.prepare(model, adamw(model, args.lr), partial(sample, model))
    while run.share < 1:
        chosen = torch.randint(len(pictures), (args.batch,), device=run.device)
        question = torch.randint(len(QUESTIONS), (args.batch,), device=run.device)
        with run.accelerator.autocast():
            loss = run.model(
                pictures[chosen], texts[chosen, question].long(), answers[chosen, question].long()
            )
        run.optimize(loss)
    model = run.finish()
    if run.accelerator.is_main_process:
        save_network(model.model, args.out / "postcard-reward")
        print(f"network written to {args.out / 'postcard-reward'}")
