"""Training of the reward model: what it is shown, what it is asked, its losses, and both scripts on a few examples."""

import json
import runpy
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from onereward_nb import load_reward_model, queries, vision
from onereward_nb.postcards import preferences
from onereward_nb.postcards.architecture import make_image_processor, make_reward_model
from onereward_nb.postcards.describing import NOTHING, QUESTIONS, lesson
from onereward_nb.postcards.preferences import Item
from onereward_nb.postcards.scenes import KINDS
from onereward_nb.postcards.text import make_chat_tokenizer
from onereward_nb.postcards.train import describe, judging, reward
from onereward_nb.postcards.train.pairs import SHIFT, TINT, Pairs, altered
from onereward_nb.tasks import TASKS

TOKENIZER = make_chat_tokenizer()


def words(ids):
    return TOKENIZER.convert_ids_to_tokens(ids.tolist())


# --- the network ---------------------------------------------------------------------------------


def test_the_network_is_small_and_sees_a_postcard_as_64_tokens():
    model = make_reward_model()
    assert sum(parameter.numel() for parameter in model.parameters()) < 7e6
    for side in (64, 128, 256):
        tokens, grid = vision.see(model.model.visual, make_image_processor(), torch.rand(2, 3, side, side))
        assert tokens.shape == (2, 64, 256) and grid == (8, 8)
    wide, grid = vision.see(model.model.visual, make_image_processor(), torch.rand(1, 3, 128, 256))
    assert grid[0] * grid[1] == wide.shape[1] <= 64 and grid[1] > grid[0]


def test_no_word_of_a_question_or_an_answer_is_unknown():
    asked = [*queries.every_query(), *QUESTIONS.values()]
    answers = [answer for seed in range(40) for answer in lesson(seed)[1]]
    for text in [*asked, *answers, queries.YES, queries.NO]:
        ids = TOKENIZER(text, add_special_tokens=False).input_ids
        assert TOKENIZER.unk_token_id not in ids, TOKENIZER.convert_ids_to_tokens(ids)
    assert queries.answers(TOKENIZER)


def test_words_in_a_question_are_spelled_letter_by_letter():
    tail = words(queries.script(TOKENIZER, queries.query("text", "text rendering", "hi")).tail)
    start = tail.index('"')
    assert tail[start : start + 4] == ['"', "H", "I", '"']
    assert tail[:2] == ["<|vision_end|>", "two"] and tail[-3:] == ["<|im_end|>", "<|im_start|>", "assistant"]


def test_what_is_saved_opens_as_any_reward_model(tmp_path):
    torch.manual_seed(0)
    judging.save_network(make_reward_model(), tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 15e6
    judge = load_reward_model(tmp_path, device="cpu")
    pictures = torch.randint(0, 256, (4, 128, 128, 3), dtype=torch.uint8)
    question = queries.query("fill", "text alignment", "a red ball")
    tails, ends = judging.tokenize([question])
    model = reward.PreferenceLoss(judging.network(tmp_path)).eval()
    with torch.inference_mode():
        there, back = model.margins(
            *judging.as_pixels(pictures).split(2), tails.repeat(2, 1).long(), ends.repeat(2)
        ).chunk(2)
    images = [Image.fromarray(each.numpy()) for each in pictures]
    asked = {"task": "fill", "dimension": "text alignment", "prompt": "a red ball"}
    assert judge.preference(images[:2], images[2:], **asked) == pytest.approx(
        there.sigmoid().tolist(), abs=1e-4
    )
    assert judge.preference(images[2:], images[:2], **asked) == pytest.approx(
        back.sigmoid().tolist(), abs=1e-4
    )


def test_a_network_that_can_not_be_saved_leaves_the_old_one(tmp_path, monkeypatch):
    model = make_reward_model()
    judging.save_network(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(folder):
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(model, "save_pretrained", fail)
    with pytest.raises(OSError, match="no space left"):
        judging.save_network(model, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# --- lessons in looking --------------------------------------------------------------------------


def count_things(caption):
    return sum(caption.split().count(kind) for kind in KINDS)


def test_a_lesson_shows_two_versions_of_one_scene():
    shared = 0
    for seed in range(30):
        pictures, (first, second, only_first, only_second, more) = lesson(seed)
        assert pictures.shape == (2, 128, 128, 3) and pictures.dtype == np.uint8
        assert (first == second) == (only_first == only_second == NOTHING)
        assert np.array_equal(*pictures) == (first == second)
        for only, here, there in ((only_first, first, second), (only_second, second, first)):
            if only != NOTHING:
                assert all(
                    here.count(thing) > there.count(thing) or here.count(thing) > 1
                    for thing in only.split(" and ")
                )
        assert (more == "Yes") == (count_things(first) > count_things(second))
        shared += first == second
        assert all(np.array_equal(a, b) for a, b in zip(pictures, lesson(seed)[0], strict=True))
    assert 0 < shared < 20


def test_answers_are_written_after_their_questions_and_alone_are_learned():
    answers = [lesson(seed)[1] for seed in range(3)]
    texts, said = describe.write_down(answers)
    assert texts.shape == said.shape == (3, len(QUESTIONS), texts.shape[2])
    for number, each in enumerate(answers):
        for place, question in enumerate(QUESTIONS.values()):
            text, learned = texts[number, place], said[number, place]
            asked = queries.script(TOKENIZER, question).tail
            assert torch.equal(text[: len(asked)].long(), asked)
            assert not learned[: len(asked)].any()
            expected = [*TOKENIZER(each[place], add_special_tokens=False).input_ids, TOKENIZER.eos_token_id]
            assert learned[learned > 0].tolist() == expected
            assert torch.equal(text[learned > 0], learned[learned > 0])


def test_the_loss_of_a_lesson_is_the_mean_surprise_at_each_token_of_the_answer():
    torch.manual_seed(1)
    model = describe.LessonLoss(make_reward_model())
    pictures = torch.from_numpy(np.stack([lesson(seed)[0] for seed in range(2)]))
    texts, said = (each[:, 2].long() for each in describe.write_down([lesson(seed)[1] for seed in range(2)]))
    with torch.no_grad():
        loss = model(pictures, texts, said).item()
        surprises = []
        for pair, text, learned in zip(pictures, texts, said, strict=True):
            tokens, grid = model.see(judging.as_pixels(pair))
            hidden = model.read((tokens[:1], grid), (tokens[1:], grid), text[None])
            chances = model.model.lm_head(hidden)[0].softmax(-1)
            surprises += [
                -chances[place - 1, text[place]].log().item() for place in learned.nonzero()[:, 0].tolist()
            ]
    assert loss == pytest.approx(np.mean(surprises), abs=1e-4)


def test_lessons_are_learned():
    torch.manual_seed(2)
    model = describe.LessonLoss(make_reward_model())
    pictures, answers = zip(*map(lesson, range(2)), strict=True)
    pictures = torch.from_numpy(np.stack(pictures))
    texts, said = (each[:, 0].long() for each in describe.write_down(answers))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        loss = model(pictures, texts, said)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(len(TOKENIZER)), abs=1) and losses[-1] < 0.6 * losses[0]


# --- preferences ---------------------------------------------------------------------------------


class BrightnessJudge(nn.Module):
    """Stands in for the network: the margin is the difference in brightness, known exactly."""

    margins = reward.PreferenceLoss.margins
    forward = reward.PreferenceLoss.forward

    def __init__(self):
        super().__init__()
        self.yes_no = (5, 9)
        self.model = SimpleNamespace(lm_head=self.as_logits)

    def see(self, pictures):
        return pictures.flatten(1).mean(dim=1)[:, None, None], (1, 1)

    def read(self, first, second, tails):
        """One number for each token of the tail: its place times the difference, so that a wrong end shows."""
        place = torch.arange(tails.shape[1])[None, :, None]
        return (first[0] - second[0]) * place

    def as_logits(self, hidden):
        logits = torch.zeros(len(hidden), 12)
        logits[:, 5], logits[:, 9] = hidden[:, 0], -hidden[:, 0]
        return logits


def test_the_loss_is_the_papers_in_both_orders():
    torch.manual_seed(3)
    winners, losers = torch.rand(6, 3, 8, 8), torch.rand(6, 3, 8, 8)
    tails, ends = torch.zeros(6, 5).long(), torch.tensor([4, 1, 2, 3, 4, 2])
    margin = 2 * ends * (winners - losers).flatten(1).mean(dim=1)  # logit of Yes minus logit of No
    yes_there, yes_back = margin.sigmoid(), (-margin).sigmoid()
    expected = -0.5 * (yes_there.log() + (1 - yes_back).log()).mean()
    assert BrightnessJudge()(winners, losers, tails, ends).item() == pytest.approx(expected.item(), abs=1e-6)


def test_a_step_along_the_gradient_favours_the_winners():
    torch.manual_seed(6)
    model = reward.PreferenceLoss(make_reward_model())
    pictures = torch.from_numpy(np.concatenate([lesson(seed)[0] for seed in (1, 4)]))
    winners, losers = judging.as_pixels(pictures).unflatten(0, (-1, 2)).unbind(1)
    tails, ends = judging.tokenize([queries.query("removal", "removal quality")] * 2)
    before = model(winners, losers, tails.long(), ends)
    before.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    square = sum(gradient.square().sum() for gradient in gradients).item()
    step = 1e-3 / square**0.5
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.grad is not None):
            parameter -= step * parameter.grad
        after = model(winners, losers, tails.long(), ends)
    assert before.item() - after.item() == pytest.approx(step * square, rel=0.2)
    assert len(gradients) == len(
        list(model.parameters())
    )  # every part of the network learns from preferences


def test_pairs_are_altered_alike():
    torch.manual_seed(4)
    pictures = torch.randint(0, 256, (50, 32, 32, 3), dtype=torch.uint8)
    mirrored = torch.arange(50) % 2 == 0
    one, other = altered(pictures, pictures.clone(), mirrored)
    assert torch.equal(one, other) and one.shape == (50, 3, 32, 32)
    plain = judging.as_pixels(pictures)
    plain[mirrored] = plain[mirrored].flip(3)
    found = set()
    for before, after in zip(plain, one, strict=True):
        fits = []
        for down in range(-SHIFT, SHIFT + 1):
            for right in range(-SHIFT, SHIFT + 1):
                rows, columns = ((torch.arange(32) + by).clamp(0, 31) for by in (down, right))
                tint = after / before[:, rows][:, :, columns].clamp(min=1e-9)
                inside = (before[:, rows][:, :, columns] > 0.05) & (after < 1)
                spread = max(tint[c][inside[c]].std() for c in range(3))
                if spread < 1e-3:
                    assert all(abs(tint[c][inside[c]].mean() - 1) <= TINT + 1e-3 for c in range(3))
                    fits.append((down, right))
        assert len(fits) == 1
        found.update(fits)
    assert len(found) > 25


def random_items(task, count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Item(
            task,
            seed + number,
            f"a red ball {number}",
            [
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((128, 128), 0)
                for _ in range(preferences.CANDIDATES + 1)
            ],
            [
                {dimension: float(rng.random()) for dimension in TASKS[task].dimensions}
                for _ in range(preferences.CANDIDATES + 1)
            ],
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """A folder of items with random scores, and the items by task and seed."""
    folder = tmp_path_factory.mktemp("items")
    made = {}
    for start, task in enumerate(TASKS):
        some = random_items(task, 5, seed=100 * start)
        preferences.save_items(some, folder / f"{task}-{100 * start:07}.safetensors")
        made |= {(task, item.seed): item for item in some}
    return folder, made


def looked_up(items, picture):
    """The item and the number of a picture."""
    for item in items.values():
        for number, image in enumerate(item.images):
            if np.array_equal(np.asarray(image), picture):
                return item, number
    raise AssertionError("not a picture of any item")


def test_every_pair_that_can_be_told_apart_is_learned_with_its_question(items):
    folder, made = items
    pairs, unseen = Pairs.load(folder, "cpu")
    expected = sum(
        abs(one[dimension] - other[dimension]) >= preferences.MARGIN
        for item in made.values()
        for dimension in TASKS[item.task].dimensions
        for place, one in enumerate(item.scores)
        for other in item.scores[:place]
    )
    assert len(pairs) + len(unseen) == expected and len(unseen) > 0
    seeds = []
    for some in (pairs, unseen):
        seen = set()
        for (task, dimension), chosen in some.by_cell():
            sample = chosen[torch.randperm(len(chosen))[:3]]
            for winner, loser, tail, end in zip(*some.take(sample), strict=True):
                (item, one), (other_item, other) = (looked_up(made, each.numpy()) for each in (winner, loser))
                assert item is other_item and item.task == task
                assert item.scores[one][dimension] >= item.scores[other][dimension] + preferences.MARGIN
                asked = queries.script(TOKENIZER, queries.query(task, dimension, item.prompt)).tail
                assert torch.equal(tail[: end + 1], asked)
                seen.add((task, item.seed))
        seeds.append(seen)
    assert not seeds[0] & seeds[1]


def test_drawn_pairs_cover_the_cells_by_their_weights(items):
    torch.manual_seed(5)
    pairs, _ = Pairs.load(items[0], "cpu")
    pairs.pictures = torch.zeros(len(pairs.pictures), 1, 1, 3, dtype=torch.uint8)  # as quick as can be
    tails = pairs.draw(20000)[2]
    removal = queries.script(TOKENIZER, queries.query("removal", "removal quality")).tail
    share = (tails[:, : len(removal)] == removal).all(dim=1).float().mean().item()
    weights = {task.name: len(task.dimensions) ** 0.5 for task in TASKS.values()}
    assert share == pytest.approx(1 / sum(weights.values()), abs=0.01)


def test_half_of_the_pairs_are_mirrored_but_no_word_is(items):
    torch.manual_seed(6)
    some, _ = Pairs.load(items[0], "cpu")
    ramp = torch.arange(12, dtype=torch.uint8)[None, :, None].expand(12, 12, 3)  # brighter to the right
    some.pictures = ramp.expand(len(some.pictures), 12, 12, 3)
    winners, losers, *_ = some.draw(4000)
    left, right = ((each[..., 0] > each[..., -1]).all(dim=(1, 2)) for each in (winners, losers))
    assert torch.equal(left, right)
    weights = {task.name: len(task.dimensions) ** 0.5 for task in TASKS.values()}
    words = weights["text"] / sum(weights.values())
    assert left.float().mean().item() == pytest.approx((1 - words) / 2, abs=0.03)


def test_a_judge_of_one_task_sees_that_task_only(items):
    pairs, unseen = Pairs.load(items[0], "cpu", task="extend")
    assert {task for some in (pairs, unseen) for task, _ in some.cells} == {"extend"}


def test_noise_turns_pairs_round(items):
    plain, noisy = (Pairs.load(items[0], "cpu", noise=noise)[0] for noise in (0.0, 0.3))
    assert torch.equal(plain.winners + plain.losers, noisy.winners + noisy.losers)
    turned = (plain.winners != noisy.winners).float().mean().item()
    assert turned == pytest.approx(0.3, abs=0.07)


def test_folders_without_items_and_held_out_items_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no items: make them with python -m onereward_nb"):
        Pairs.load(tmp_path, "cpu")
    preferences.save_items(
        random_items("removal", 2, seed=1_000_000), tmp_path / "removal-1000000.safetensors"
    )
    with pytest.raises(ValueError, match=r"removal-1000000.safetensors is held out"):
        Pairs.load(tmp_path, "cpu")


def test_accuracy_counts_both_orders(items):
    _, unseen = Pairs.load(items[0], "cpu")
    judge = BrightnessJudge()
    figures = reward.accuracies(reward.margins_by_cell(judge, unseen))
    for (task, dimension), chosen in unseen.by_cell():
        winners, losers, *_ = unseen.take(chosen[:400])
        brighter = winners.float().mean(dim=(1, 2, 3)) > losers.float().mean(dim=(1, 2, 3))
        assert figures[task][dimension] == pytest.approx(brighter.float().mean().item(), abs=1e-3)


class HalfBlindJudge(nn.Module):
    """Two weights: for what counts, and for a noise that has nothing to do with it."""

    def __init__(self, noise):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, noise]))
        generator = torch.Generator().manual_seed(3)
        self.seen = torch.stack(
            [1 + torch.randn(4000, generator=generator), torch.randn(4000, generator=generator)]
        )


@pytest.mark.parametrize(("began", "became", "share"), [(3.0, -2.0, 0.4), (-1.0, 4.0, 0.8), (5.0, 0.0, 0.0)])
def test_a_blend_takes_the_shares_that_judge_unseen_pairs_best(began, became, share, monkeypatch):
    monkeypatch.setattr(
        reward, "margins_by_cell", lambda model, pairs: {("fill", "structure"): model.weight @ model.seen}
    )
    model, start = HalfBlindJudge(became), list(HalfBlindJudge(began).parameters())
    assert reward.blend(model, start, None) == share
    assert model.weight[1].item() == pytest.approx(share * began + (1 - share) * became, abs=1e-6)


def test_a_temperature_makes_a_judge_as_sure_as_it_is_right():
    torch.manual_seed(0)
    honest = 2 * torch.randn(20_000, dtype=torch.float64)
    right = torch.rand_like(honest) < honest.sigmoid()  # the winner is the one of which it says Yes, so often
    honest = torch.where(right, honest, -honest)
    for too_sure in (0.7, 1.0, 3.0):
        found = reward.temperature({("fill", "structure"): too_sure * honest})
        assert found == pytest.approx(too_sure, rel=0.05)


def test_a_network_that_is_cooled_divides_its_logits():
    torch.manual_seed(0)
    model = reward.PreferenceLoss(make_reward_model()).eval()
    tails, ends = judging.tokenize([queries.query("removal", "removal quality")])
    pictures = torch.rand(2, 3, 128, 128)
    before = model.margins(*pictures.split(1), tails.long(), ends)
    reward.cool(model.model, 2.5)
    assert torch.allclose(model.margins(*pictures.split(1), tails.long(), ends), before / 2.5, atol=1e-5)


# --- the scripts ---------------------------------------------------------------------------------


@pytest.fixture
def train(monkeypatch, capsys):
    """train(*words) runs a script as the command line would, in this process: returns what it printed."""

    def trained(*words):
        monkeypatch.setattr(sys, "argv", ["train", *map(str, words)])
        runpy.run_module("onereward_nb.postcards.train", run_name="__main__")
        return capsys.readouterr().out

    return trained


def test_a_network_learns_to_look_and_then_to_judge(items, tmp_path, train, monkeypatch):
    # it says little yet that makes sense
    monkeypatch.setattr(describe, "describe", partial(describe.describe, longest=4))
    options = ["--batch", 2, "--minutes", 0.02, "--device", "cpu"]
    said = train("describe", "--scenes", 4, "--out", tmp_path / "describe", *options)
    assert "6.6 M parameters on cpu" in said and "network written" in said
    first = tmp_path / "describe" / "postcard-reward"
    said = train(
        *("reward", "--preferences", items[0], "--start-from", first, "--out", tmp_path / "reward"),
        *("--task", "removal", *options),
    )
    assert "reward model written" in said and "pairs to learn from" in said
    unseen = json.loads((tmp_path / "reward" / "unseen.json").read_text())
    assert (
        unseen["start"] in reward.SHARES
        and list(unseen["accuracy"]) == ["removal"]
        and 0.5 <= unseen["temperature"] <= 5.01
    )
    for name in ("describe", "reward"):
        assert list((tmp_path / name).glob("sample-*.png"))
    before, after = (
        load_reward_model(folder, device="cpu") for folder in (first, tmp_path / "reward" / "postcard-reward")
    )
    pictures = random_items("removal", 1)[0].images
    asked = {"task": "removal", "dimension": "removal quality"}
    assert before.preference(*pictures[:2], **asked) != after.preference(*pictures[:2], **asked)
