"""The reward model on a tiny random Qwen2.5-VL: its sight, its questions, its preferences and their gradient."""

import shutil
from itertools import groupby

import fake_hub
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import (
    quiet,
    random_mask,
    random_picture,
    save_reward_parts,
    tiny_chat_tokenizer,
    tiny_reward_parts,
)

import onereward_nb as onr
from onereward_nb import load_reward_model, models, queries, vision
from onereward_nb.models import MODELS, ModelUnavailable
from onereward_nb.tasks import TASKS

FILL = {"task": "fill", "dimension": "structure"}
SIZES = [(112, 84), (140, 196)]  # height and width, multiples of 28: no resize is needed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_reward_parts(tmp_path_factory.mktemp("qwen"), tiny_reward_parts())


@pytest.fixture(scope="module")
def judge(folder):
    return load_reward_model(str(folder), device="cpu")


def random_pixels(*sizes, seed=0):
    generator = torch.manual_seed(seed)
    return [torch.rand(1, 3, *size, generator=generator) for size in sizes]


def as_image(pixels):
    return Image.fromarray((pixels[0].permute(1, 2, 0) * 255).round().byte().numpy())


def whole_levels(pixels):
    """The same pixels as a PIL image holds them: steps of 1/255."""
    return (pixels * 255).round() / 255


# --- sight ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_patches_are_those_of_the_image_processor(judge, size):
    (pixels,) = random_pixels(size)
    expected = judge.processor(as_image(pixels), return_tensors="pt")
    ours = vision.patchify(vision.fit(whole_levels(pixels), judge.processor), judge.processor)
    torch.testing.assert_close(ours[0], expected.pixel_values, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(100, 75), (30, 41), (400, 260)], ids=["nearly", "too small", "too large"])
def test_resized_patches_are_those_of_the_image_processor_to_a_grey_level(judge, size):
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 9, 7), size, mode="bicubic").clamp(0, 1)
    expected = judge.processor(as_image(smooth), return_tensors="pt").pixel_values
    ours = vision.patchify(vision.fit(whole_levels(smooth), judge.processor), judge.processor)[0]
    # Pillow rounds and clips to whole grey levels after each of its two passes: two levels at most, half of one on average
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 2 / 255 / min(judge.processor.image_std)
    assert (ours - expected).abs().mean() < 0.6 / 255 / min(judge.processor.image_std)


@pytest.mark.parametrize("size", SIZES)
def test_several_pictures_are_seen_as_the_library_sees_each(judge, size):
    pixels = torch.cat(random_pixels(size, size))
    tokens, grid = vision.see(judge.model.model.visual, judge.processor, pixels)
    patches = vision.patchify(pixels, judge.processor)
    thw = torch.tensor([[1, size[0] // 14, size[1] // 14]] * 2)
    expected = judge.model.model.visual(patches.flatten(0, 1), grid_thw=thw).pooler_output
    assert grid == (size[0] // 28, size[1] // 28)
    torch.testing.assert_close(tokens.flatten(0, 1), expected, atol=1e-5, rtol=1e-4)


# --- questions -----------------------------------------------------------------------------------


def test_the_question_names_task_and_dimension_and_the_prompt_for_alignment_only():
    for task in TASKS.values():
        for dimension in task.dimensions:
            question = queries.query(task, dimension, "HI")
            assert task.does in question and dimension in question
            assert ("HI" in question) == (dimension in ("text alignment", "text rendering"))
            assert question == queries.query(task.name, dimension, "HI")
    assert 'the words "HI"' in queries.query("text", "text rendering", "HI")


def test_every_question_differs():
    questions = list(queries.every_query())
    assert len(set(questions)) == len(questions) == sum(len(task.dimensions) for task in TASKS.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("removal", "structure"), r"'removal' is not judged by 'structure', but by: removal quality"),
        (("extend-no-prompt", "text alignment"), "is not judged by 'text alignment'"),
        (("fill", "text alignment"), "'text alignment' needs the prompt"),
        (("text", "text rendering", ""), "'text rendering' needs the prompt"),
        (("remvoal", "removal quality"), "Did you mean 'removal'"),
    ],
)
def test_a_question_that_makes_no_sense(arguments, words):
    with pytest.raises(ValueError, match=words):
        queries.query(*arguments)


def test_positions_are_the_librarys(judge):
    one, other = queries.script(judge.tokenizer, "Is it?"), [(4, 3), (5, 7)]
    pad = judge.model.config.image_token_id
    ids = torch.cat([one.head, torch.full((12,), pad), one.between, torch.full((35,), pad), one.tail])[None]
    expected, _ = judge.model.model.get_rope_index(
        ids,
        mm_token_type_ids=(ids == pad).int(),
        image_grid_thw=torch.tensor([[1, 2 * rows, 2 * columns] for rows, columns in other]),
    )
    ours = queries.positions(len(one.head), other[0], len(one.between), other[1], len(one.tail))
    assert torch.equal(ours, expected[:, 0])


@pytest.mark.parametrize("words", [("Yes",), ()])
def test_answers_of_several_tokens_are_refused(words):
    with pytest.raises(ValueError, match=r"spells 'Yes' as .* and 'No' as .* one known token"):
        queries.answers(tiny_chat_tokenizer(words))


def test_a_chat_template_without_pictures_is_refused():
    tokenizer = tiny_chat_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message.role }}{% endfor %}"
    with pytest.raises(ValueError, match="made 0 places for two pictures"):
        queries.script(tokenizer, "Is it?")


# --- preferences ---------------------------------------------------------------------------------


def by_the_library(judge, first, second, question):
    """P(Yes) by the library's own path: its image processor, its chat template, its whole model."""
    seen = judge.processor([first, second], return_tensors="pt")
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": question}]
    text = judge.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    for grid in seen.image_grid_thw:
        text = text.replace("<|image_pad|>", "<|place|>" * (int(grid.prod()) // 4), 1)
    ids = judge.tokenizer(text.replace("<|place|>", "<|image_pad|>"), return_tensors="pt").input_ids
    assert [
        len(list(run)) for key, run in groupby((ids[0] == judge.model.config.image_token_id).tolist()) if key
    ]
    logits = judge.model(
        input_ids=ids,
        mm_token_type_ids=(ids == judge.model.config.image_token_id).int(),
        **seen,
    ).logits[0, -1]
    yes, no = (judge.tokenizer.convert_tokens_to_ids(word) for word in ("Yes", "No"))
    return torch.sigmoid(logits[yes] - logits[no]).item()


def pictures(*sizes, seed=0):
    return [as_image(each) for each in random_pixels(*sizes, seed=seed)]


@pytest.mark.parametrize("sizes", [(SIZES[0], SIZES[0]), SIZES], ids=["one size", "two sizes"])
def test_the_preference_is_that_of_the_library(judge, sizes):
    first, second = pictures(*sizes)
    ours = judge.preference(first, second, task="fill", dimension="text alignment", prompt="a red ball")
    question = queries.query("fill", "text alignment", "a red ball")
    with torch.inference_mode():
        assert ours == pytest.approx(by_the_library(judge, first, second, question), abs=1e-4)
        other = by_the_library(judge, second, first, question)
    assert abs(ours - other) > 1e-3  # or the test would not tell which picture is which
    assert judge.preference(
        first, second, task="fill", dimension="text alignment", prompt="a red ball", both_orders=True
    ) == pytest.approx((ours + 1 - other) / 2, abs=1e-4)


def test_batches_of_any_sizes_and_questions_give_what_single_pairs_give(judge):
    firsts = pictures(*SIZES, SIZES[0], SIZES[1])
    seconds = pictures(SIZES[1], SIZES[1], SIZES[0], SIZES[0], seed=1)
    prompts = ["a red ball", "a very long blue house at night", "x", "HI"]
    arguments = {"task": "fill", "dimension": "text alignment"}
    together = judge.preference(firsts, seconds, prompt=prompts, both_orders=True, **arguments)
    for first, second, prompt, chance in zip(firsts, seconds, prompts, together, strict=True):
        alone = judge.preference(first, second, prompt=prompt, both_orders=True, **arguments)
        assert chance == pytest.approx(alone, abs=1e-5)
    assert max(together) - min(together) > 1e-3


def test_many_pairs_come_back_in_order(judge, monkeypatch):
    import onereward_nb.reward as reward

    firsts, seconds = pictures(*[SIZES[0]] * 5), pictures(*[SIZES[0]] * 5, seed=2)
    whole = judge.preference(firsts, seconds, **FILL)
    monkeypatch.setattr(reward, "BATCH", 2)
    assert judge.preference(firsts, seconds, **FILL) == pytest.approx(whole, abs=1e-5)


def test_both_orders_cancel_the_liking_for_a_place(judge):
    one, other = pictures(SIZES[0], SIZES[0])
    there = judge.preference(one, other, both_orders=True, **FILL)
    back = judge.preference(other, one, both_orders=True, **FILL)
    assert there + back == pytest.approx(1, abs=1e-5)


def test_rank_follows_the_mean_preference(judge):
    images = pictures(*[SIZES[0]] * 4, seed=3)
    means = [
        np.mean(
            [judge.preference(one, other, both_orders=True, **FILL) for other in images if other is not one]
        )
        for one in images
    ]
    assert judge.rank(images, **FILL) == np.argsort(means)[::-1].tolist()
    assert judge.rank(images[:1], **FILL) == [0]


def test_contests_are_the_preferences_of_each_over_each(judge):
    images = pictures(*[SIZES[0]] * 3, seed=4)
    dimensions = ["structure", "text alignment"]
    wins = judge.contests(images, task="fill", dimensions=dimensions, prompt="a ball")
    assert wins.shape == (2, 3, 3)
    for table, dimension in zip(wins, dimensions, strict=True):
        for a, b in ((0, 1), (2, 0), (1, 1)):
            expected = judge.preference(
                images[a],
                images[b],
                task="fill",
                dimension=dimension,
                prompt="a ball",
                both_orders=True,
            )
            assert table[a, b] == pytest.approx(expected, abs=1e-5)


def test_best_of_picks_the_edit_that_ranks_first(judge, pipe):
    image, mask = random_picture(), random_mask()
    settings = {"num_inference_steps": 1}
    edits = [
        onr.run_task(quiet(pipe), "removal", image, mask, seed=5 + place, **settings) for place in range(3)
    ]
    best = judge.best_of(pipe, 3, "removal", image, mask, seed=5, **settings)
    first = judge.rank(edits, task="removal", dimension="removal quality")[0]
    assert np.array_equal(np.asarray(best), np.asarray(edits[first]))


def test_best_of_judges_by_all_dimensions_or_by_one(judge, pipe):
    arguments = {
        "image": random_picture(),
        "mask": random_mask(),
        "prompt": "a ball",
        "num_inference_steps": 1,
    }
    edits = [onr.run_task(pipe, "fill", seed=place, **arguments) for place in range(4)]
    standings = {
        dimension: judge._standings(edits, "fill", [dimension], "a ball")
        for dimension in TASKS["fill"].dimensions
    }
    for dimension in (None, "structure"):
        values = standings[dimension] if dimension else sum(standings.values())
        best = judge.best_of(pipe, 4, "fill", dimension=dimension, **arguments)
        assert np.array_equal(np.asarray(best), np.asarray(edits[int(np.argmax(values))]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"task": "removal", "dimension": "structure"}, "not judged by 'structure'"),
        ({"task": "fill", "dimension": "text alignment"}, "needs the prompt"),
        ({**FILL, "prompt": ["a ball"]}, "1 prompts for 2 pairs"),
    ],
)
def test_bad_questions_are_refused(judge, arguments, words):
    images = pictures(SIZES[0], SIZES[0])
    with pytest.raises(ValueError, match=words):
        judge.preference(images, images, **arguments)
    with pytest.raises(ValueError, match=words):
        judge.reward(torch.zeros(2, 3, 56, 56), torch.zeros(2, 3, 56, 56), **arguments)


def test_lists_and_tensors_that_do_not_match_are_refused(judge):
    images = pictures(SIZES[0], SIZES[0])
    with pytest.raises(ValueError, match="2 pictures against 1"):
        judge.preference(images, images[:1], **FILL)
    for one, other in ((images, images[0]), (images[0], images)):
        with pytest.raises(TypeError, match="give two pictures, or two lists"):
            judge.preference(one, other, **FILL)
    with pytest.raises(ValueError, match=r"references have the shape \(1, 3, 56, 56\): expected \(2, 3"):
        judge.reward(torch.zeros(2, 3, 56, 56), torch.zeros(1, 3, 56, 56), **FILL)
    with pytest.raises(ValueError, match=r"images have the shape \(2, 56, 56, 3\)"):
        judge.reward(torch.zeros(2, 56, 56, 3), torch.zeros(2, 3, 56, 56), **FILL)


# --- the gradient --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [SIZES[0], (100, 75)], ids=["as it is", "resized"])
def test_the_gradient_to_the_pixels_is_that_of_finite_differences(folder, size):
    judge = load_reward_model(folder, device="cpu", dtype=torch.float64)
    images, references = (torch.cat(random_pixels(size, size, seed=seed)).double() for seed in (4, 5))
    images.requires_grad_()
    arguments = {"task": "fill", "dimension": "text alignment", "prompt": ["a red ball", "a house"]}
    chances = judge.reward(images, references, **arguments)
    assert chances.shape == (2,)
    (gradient,) = torch.autograd.grad(chances.sum(), images)
    way = torch.randn(images.shape, generator=torch.manual_seed(6), dtype=torch.float64)
    way = way / way.norm()
    with torch.no_grad():
        # float32 at the last step, so the step is not too small
        ahead, behind = (judge.reward(images + step * way, references, **arguments) for step in (0.02, -0.02))
    slope = (ahead - behind).double() / 0.04
    expected = (gradient * way).flatten(1).sum(dim=1)
    assert expected.abs().min() > 1e-4
    torch.testing.assert_close(slope, expected, atol=2e-5, rtol=0.05)
    assert not any(parameter.requires_grad for parameter in judge.model.parameters())


def test_the_reward_is_the_preference(judge):
    images, references = (torch.cat(random_pixels(SIZES[0], SIZES[0], seed=seed)) for seed in (7, 8))
    rewards = judge.reward(whole_levels(images), whole_levels(references), **FILL)
    pairs = ([as_image(each[None]) for each in side] for side in (images, references))
    assert rewards.tolist() == pytest.approx(judge.preference(*pairs, **FILL), abs=1e-5)
    everything = judge.rewards(images, references, task="fill", prompt="a red ball")
    assert tuple(everything) == TASKS["fill"].dimensions
    for dimension, several in everything.items():
        one = judge.reward(images, references, task="fill", dimension=dimension, prompt="a red ball")
        torch.testing.assert_close(several, one)
    other_size = torch.cat(random_pixels(SIZES[1], SIZES[1]))
    assert judge.reward(images, other_size, **FILL).shape == (2,)


# --- loading -------------------------------------------------------------------------------------


def test_a_folder_is_loaded_as_it_was_saved(folder, judge):
    model, _, _ = tiny_reward_parts()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, judge.model.state_dict()[name])
    assert judge.model.dtype == torch.float32
    assert load_reward_model(folder, "cpu", torch.bfloat16).model.dtype == torch.bfloat16


def test_the_small_one_lies_among_the_models(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "models_folder", lambda: tmp_path)
    monkeypatch.setattr("onereward_nb.reward.models_folder", lambda: tmp_path)
    with pytest.raises(ModelUnavailable, match=r"'postcard-reward' are missing: no folder .*postcard-reward"):
        load_reward_model()
    shutil.copytree(folder, tmp_path / "postcard-reward")
    assert load_reward_model(device="cpu").yes_no == queries.answers(tiny_chat_tokenizer())


def test_full_size_ones_are_loaded_from_their_repositories(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "served" / MODELS["qwen2.5-vl-3b"].base)
    server = fake_hub.serve(tmp_path / "served", tmp_path / "home", monkeypatch)
    monkeypatch.setattr("onereward_nb.reward.obstacle_to", lambda model, device: None)
    try:
        judge = load_reward_model("qwen2.5-vl-3b", device="cpu")
        assert 0 < judge.preference(*pictures(SIZES[0], SIZES[0]), **FILL) < 1
        server.refuse("/", 401, "GatedRepo")
        load_reward_model("qwen2.5-vl-3b", device="cpu")  # what is here needs no hub
        with pytest.raises(ModelUnavailable, match=r"Qwen2.5-VL-7B-Instruct asks for a login"):
            load_reward_model("qwen2.5-vl-7b", device="cpu")
    finally:
        fake_hub.stop_serving()


def test_full_size_ones_need_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ModelUnavailable, match=r"'qwen2.5-vl-7b' needs an NVIDIA GPU with at least 20 GB.*postcard-rew"
    ):
        load_reward_model("qwen2.5-vl-7b")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("postcard-fill", r"'postcard-fill' edits pictures.*postcard-reward, qwen2.5-vl-7b"),
        ("postcard-rewrad", r"no reward model 'postcard-rewrad', and no folder.*postcard-reward"),
    ],
)
def test_unknown_models(name, words):
    with pytest.raises(ValueError, match=words):
        load_reward_model(name)


@pytest.mark.parametrize(
    "missing", ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"]
)
def test_a_folder_that_lacks_a_file_says_what_belongs_there(folder, tmp_path, missing):
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / missing).unlink()
    with pytest.raises(
        ModelUnavailable, match=r"broken does not hold a whole reward model.*model\.safetensors"
    ):
        load_reward_model(tmp_path / "broken")


def test_weights_that_lack_a_part_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "merger" in name)
    save_file(
        {key: weights[key] for key in weights if key != name}, tmp_path / "broken" / "model.safetensors"
    )
    with pytest.raises(ModelUnavailable, match=r"its weights lack .*merger"):
        load_reward_model(tmp_path / "broken")
