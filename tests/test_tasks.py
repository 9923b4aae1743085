"""The tasks: their prompts, dimensions and settings, and `run_task`."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import random_mask, random_picture

from onereward_nb import TASKS, run_task
from onereward_nb.tasks import quoted


def test_tasks_as_the_paper_has_them():
    assert list(TASKS) == ["fill", "text", "removal", "extend", "extend-no-prompt"]
    assert TASKS["removal"].prompt == "remove"
    assert TASKS["extend-no-prompt"].prompt == "high-definition, perfect composition"
    assert [TASKS[name].prompt for name in ("fill", "text", "extend")] == [None] * 3
    look = ("consistency", "structure", "aesthetics")
    assert TASKS["fill"].dimensions == TASKS["extend"].dimensions == ("text alignment", *look)
    assert TASKS["text"].dimensions == ("text alignment", *look, "text rendering")
    assert TASKS["removal"].dimensions == ("removal quality",)
    assert TASKS["extend-no-prompt"].dimensions == look
    with pytest.raises(dataclasses.FrozenInstanceError):
        TASKS["fill"].prompt = "x"
    with pytest.raises(TypeError):
        TASKS["fill"] = None


def test_unknown_task_suggests_one():
    with pytest.raises(
        ValueError, match=r"no task 'remove'\. Did you mean 'removal'\? Known: fill, text, removal"
    ):
        TASKS["remove"]
    with pytest.raises(KeyError):
        TASKS["nothing like it"]
    assert TASKS.get("outpaint") is None and "outpaint" not in TASKS and "fill" in TASKS


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        ("HI", 'the words "HI"'),
        ('the words "HI"', 'the words "HI"'),
        ("the words “HI”", 'the words "HI"'),
        ("«HI»", '"HI"'),
        ('the words "A", and below "B"', 'the words "A", and below "B"'),
    ],
)
def test_words_to_write_are_quoted(words, prompt):
    assert quoted(words) == prompt
    assert TASKS["text"].prompt_for(words) == prompt


class Recorder:
    """A pipeline that only notes how it was called."""

    def __init__(self):
        self.settings = {"true_cfg_scale": 4.0, "negative_prompt": "nsfw", "num_inference_steps": 28}

    def __call__(self, prompt, **arguments):
        self.prompt, self.arguments = prompt, arguments
        return type("Output", (), {"images": [arguments["image"]]})


@pytest.mark.parametrize(
    ("task", "given", "prompt"),
    [
        ("fill", "a red ball", "a red ball"),
        ("text", "HI", 'the words "HI"'),
        ("removal", None, "remove"),
        ("removal", "grass", "grass"),
        ("extend", "a beach", "a beach"),
        ("extend-no-prompt", None, "high-definition, perfect composition"),
    ],
)
def test_run_task_uses_the_tasks_prompt_and_the_models_settings(task, given, prompt):
    for spelled in (task, TASKS[task]):
        pipe = Recorder()
        run_task(pipe, spelled, random_picture(), random_mask(), given, seed=3, num_inference_steps=7)
        assert pipe.prompt == prompt
        generator = pipe.arguments["generator"]
        assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=torch.manual_seed(3)))
        assert pipe.arguments["num_inference_steps"] == 7
        assert (pipe.arguments["true_cfg_scale"], pipe.arguments["negative_prompt"]) == (4.0, "nsfw")


@pytest.mark.parametrize("task", ["fill", "text", "extend"])
def test_prompt_needed(task):
    with pytest.raises(ValueError, match=rf"task '{task}' needs a prompt.*prompt='"):
        run_task(Recorder(), task, random_picture(), random_mask())


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"prompt": ["a red ball", "a blue ball"]}, TypeError, "makes one edit, of one prompt.*with a list"),
        ({"pipe": "postcard-fill"}, TypeError, r"load_pipeline\('postcard-fill'\)"),
        ({"seed": "1"}, TypeError, "seed must be a whole number, got '1'"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
    ],
)
def test_what_makes_no_edit_is_refused(change, error, words):
    given = {"pipe": Recorder(), "image": random_picture(), "mask": random_mask(), "prompt": "a red ball"}
    with pytest.raises(error, match=words):
        run_task(**{"task": "fill", **given, **change})


@pytest.mark.parametrize("task", ["removal", "extend", "extend-no-prompt"])
def test_full_mask_is_refused_where_surroundings_are_needed(task):
    full = Image.new("L", (48, 32), 255)
    with pytest.raises(ValueError, match=rf"covers the whole picture: the task '{task}' needs surroundings"):
        run_task(Recorder(), task, random_picture(), full, "a beach")
    run_task(Recorder(), "fill", random_picture(), full, "a beach")


@pytest.mark.parametrize("task", TASKS)
def test_on_a_real_pipeline(pipe, task):
    image, mask = random_picture(50, 40), random_mask(50, 40)
    arguments = {"prompt": "HI", "num_inference_steps": 2}
    result, again, other = (run_task(pipe, task, image, mask, seed=s, **arguments) for s in (1, 1, 2))
    assert isinstance(result, Image.Image) and result.size == image.size
    np.testing.assert_array_equal(np.asarray(result), np.asarray(again))
    assert (np.asarray(result) != np.asarray(other)).any()


@pytest.mark.parametrize("task", TASKS)
def test_on_the_trained_model(postcard, task):
    import onereward_nb as onr

    example = onr.postcards.example(task, seed=11, size=postcard.default_size)
    result = run_task(postcard, task, example.image, example.mask, example.prompt, num_inference_steps=8)
    assert result.size == example.image.size
    kept = np.asarray(example.mask) == 0
    np.testing.assert_array_equal(np.asarray(result)[kept], np.asarray(example.image)[kept])
    inside = np.abs(np.asarray(result, int) - np.asarray(example.target, int))[~kept].mean()
    assert inside < 64  # a picture of this world: noise or a flat colour would be further from the truth
