r"""Train the reward model on preferences:
python -m onereward_nb.postcards.train reward --preferences runs/preferences \
    --start-from runs/describe/postcard-reward --out runs/reward

The paper's loss in both orders: L = -1/2 E[log P(yes | winner, loser) + log P(no | loser, winner)].
At the end its weights are blended with those that it began with, and its logits divided by a temperature: both as it
does best on pairs that it was not trained on.
--task trains a judge of one task only, for comparison. Source: Gong et al., OneReward, arXiv 2508.21066, section 4.2.
"""

import json
import math
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from ...files import write_json
from ...grids import grid
from ...queries import answers
from ...tasks import TASKS
from ..text import make_chat_tokenizer
from .judging import Viewer, as_pixels, network, save_network
from .pairs import Pairs
from .run import Run, adamw, arguments

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)  # of the start in a blend


class PreferenceLoss(Viewer):
    """The network, and how little it prefers the winners."""

    def __init__(self, model):
        super().__init__(model)
        self.yes_no = answers(make_chat_tokenizer())

    def forward(self, winners, losers, tails, ends):
        """The paper's loss of a batch of pairs.

        winners, losers: (n, 3, 128, 128) from 0 to 1. tails: (n, length), the questions. ends: (n,), the place of the
        last token of each.
        """
        there, back = self.margins(winners, losers, tails, ends).chunk(2)
        return (F.softplus(-there).mean() + F.softplus(back).mean()) / 2

    def margins(self, firsts, seconds, tails, ends):
        """Logit of Yes minus logit of No: of all pairs in the order given, then of all in the other: (2n,)."""
        tokens, shape = self.see(torch.cat([firsts, seconds]))
        swapped = tokens.roll(len(firsts), dims=0)
        hidden = self.read((tokens, shape), (swapped, shape), tails.repeat(2, 1))
        last = hidden.gather(1, ends.repeat(2)[:, None, None].expand(-1, 1, hidden.shape[2]))[:, 0]
        yes, no = self.model.lm_head(last)[:, list(self.yes_no)].float().unbind(dim=1)
        return yes - no


@torch.inference_mode()
def margins_by_cell(model, pairs, most=400, batch=100):
    """How far the model prefers the winner, in logits, in both orders: {(task, dimension): (2n,)}."""
    result = {}
    for cell, chosen in pairs.by_cell():
        margins = []
        for some in chosen[:most].split(batch):
            winners, losers, tails, ends = pairs.take(some)
            there, back = model.margins(as_pixels(winners), as_pixels(losers), tails, ends).chunk(2)
            margins += [there, -back]
        result[cell] = torch.cat(margins)
    return result


def accuracies(margins):
    """How often the model prefers the winner: {task: {dimension: rate}}."""
    result = {}
    for (task, dimension), some in margins.items():
        result.setdefault(task, {})[dimension] = round((some > 0).float().mean().item(), 4)
    return result


def temperature(margins):
    """What to divide all logits by so that the model is as sure as it is right: the best of a grid from 0.5 to 5.

    Source: Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599.
    """
    logits = torch.cat(list(margins.values())).double()
    grid = torch.logspace(math.log10(0.5), math.log10(5), 200, dtype=torch.float64)
    return min(grid.tolist(), key=lambda by: F.softplus(-logits / by).mean().item())


@torch.no_grad()
def blend(model, start, pairs):
    """Give a model the mean of its weights and those it began with, in the shares that judge unseen pairs best.

    A network that has learned from new pairs has also lost something; the mean of both can know more than either.
    start: weights in the order of model.parameters(). Returns the share of the start. Source: Wortsman et al., Robust
    fine-tuning of zero-shot models, arXiv 2109.01903.
    """
    trained = [weight.detach().clone() for weight in model.parameters()]

    def take(share):
        for weight, new, old in zip(model.parameters(), trained, start, strict=True):
            weight.copy_(torch.lerp(new, old, share))

    def loss(share):
        take(share)
        margins = margins_by_cell(model, pairs)
        by = temperature(margins)
        return torch.stack([F.softplus(-some / by).mean() for some in margins.values()]).mean().item()

    best = min(SHARES, key=loss)
    take(best)
    return best


@torch.no_grad()
def cool(model, by):
    """Divide a network's logits by a temperature: they are linear in the weights of its last norm."""
    model.model.language_model.norm.weight /= by


@torch.inference_mode()
def sample(model, pairs, count=8):
    """Pairs not trained on, the winner above, with the model's P(Yes) in both orders: a Picture."""
    cells = pairs.by_cell()[:count]
    chosen = torch.stack([some[0] for _, some in cells])
    winners, losers, tails, ends = pairs.take(chosen)
    there, back = model.margins(as_pixels(winners), as_pixels(losers), tails, ends).sigmoid().chunk(2)
    titles = [
        f"{task}, {dimension}: {one:.2f}, {other:.2f}"
        for ((task, dimension), _), one, other in zip(cells, there.tolist(), back.tolist(), strict=True)
    ]
    return grid([list(side.cpu().numpy()) for side in (winners, losers)], titles, ["winner", "loser"])


def main():
    parser = arguments(__doc__, batch=32, lr=3e-4)
    parser.add_argument("--preferences", type=Path, required=True, help="folder of the items to learn from")
    parser.add_argument("--start-from", type=Path, help="folder of a network that has learned to describe")
    parser.add_argument("--task", choices=list(TASKS), help="learn to judge this task only")
    parser.add_argument("--noise", type=float, default=0.0, help="share of preferences to turn round")
    args = parser.parse_args()
    run = Run(args)
    pairs, unseen = Pairs.load(args.preferences, run.device, args.task, args.noise, args.seed)
    run.accelerator.print(f"{len(pairs)} pairs to learn from, {len(unseen)} to look at")
    model = PreferenceLoss(network(args.start_from)).to(run.device)
    start = [weight.detach().clone() for weight in model.parameters()]
    run.compile(model)
    run.prepare(model, adamw(model, args.lr), partial(sample, model, unseen))
    while run.share < 1:
        with run.accelerator.autocast():
            loss = run.model(*pairs.draw(args.batch))
        run.optimize(loss)
    model = run.finish().eval()
    if run.accelerator.is_main_process:
        share = blend(model, start, unseen)
        margins = margins_by_cell(model, unseen)
        figures = {"start": share, "accuracy": accuracies(margins), "temperature": temperature(margins)}
        write_json(args.out / "unseen.json", figures)
        print(json.dumps(figures))
        cool(model.model, figures["temperature"])
        save_network(model.model, args.out / "postcard-reward")
        print(f"reward model written to {args.out / 'postcard-reward'}")
