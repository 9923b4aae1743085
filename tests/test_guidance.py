"""Guidance rules: diffusers' guiders in the pipeline, intervals, and the step caches."""

from contextlib import contextmanager

import diffusers
import numpy as np
import pytest
import torch
from diffusers import guiders
from tiny import quiet, random_mask, random_picture

from onereward_nb import FluxFillCFGPipeline, guidance
from onereward_nb.preparation import Text

STEPS = 8


@pytest.fixture(autouse=True)
def calm_diffusers():
    """Guiders warn of being experimental."""
    before = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()
    yield
    diffusers.utils.logging.set_verbosity(before)


def edit(pipe, **arguments):
    """One edit of a random picture; an array (1, height, width, 3)."""
    defaults = {"negative_prompt": "a cat", "num_inference_steps": STEPS, "output_type": "np"}
    generator = torch.Generator("cpu").manual_seed(0)
    given = {"image": random_picture(), "mask_image": random_mask(), "generator": generator}
    return pipe("a ball", **{**given, **defaults, **arguments}).images


@contextmanager
def counted(module):
    """Counts how often a module is called: a list that grows."""
    calls = []
    hook = module.register_forward_pre_hook(lambda *_: calls.append(1))
    yield calls
    hook.remove()


# --- rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0, 7.5])
def test_true_cfg_is_its_formula(scale):
    generator = torch.manual_seed(0)
    positive, negative = (Text(torch.randn(2, 3, 4, generator=generator), None) for _ in range(2))

    def velocity(text, branch):
        return text.embeds.sum(dim=1) ** 2

    v_pos, v_neg = velocity(positive, ""), velocity(negative, "")
    rule = guidance.true_cfg(scale, batched=False)
    torch.testing.assert_close(
        rule(velocity, positive, negative, 0, None), (1 - scale) * v_neg + scale * v_pos
    )


@pytest.mark.parametrize("scale", [2.0, 4.0])
def test_plain_guider_is_true_cfg(pipe, scale):
    ours = edit(pipe, true_cfg_scale=scale, batched_cfg=False)
    np.testing.assert_array_equal(edit(pipe, guider=guiders.ClassifierFreeGuidance(scale)), ours)


def test_no_guidance_is_a_scale_of_one(pipe):
    off = edit(pipe, true_cfg_scale=1.0, guidance_scale=1.0)
    np.testing.assert_array_equal(edit(pipe, guider=guiders.ClassifierFreeGuidance(1.0)), off)


def test_an_interval_computes_one_branch_outside_of_it(pipe):
    half = guiders.ClassifierFreeGuidance(4.0, start=0.25, stop=0.75)
    with counted(pipe.transformer) as calls:
        edit(pipe, guider=half, num_inference_steps=28)
    assert len(calls) == 42
    with counted(pipe.transformer) as calls:
        edit(pipe, true_cfg_scale=4.0, batched_cfg=False, num_inference_steps=28)
    assert len(calls) == 56


def test_an_interval_guides_inside_of_it_only(pipe):
    """By a loop that changes the scale step by step, through the callback's own steps."""
    seen = {"interval": [], "plain": [], "off": []}

    def keep(name):
        def callback(pipe, step, timestep, tensors):
            seen[name].append(tensors["latents"].clone())
            return {}

        return callback

    interval = guiders.ClassifierFreeGuidance(4.0, start=0.5, stop=1.0)
    edit(pipe, guider=interval, callback_on_step_end=keep("interval"))
    edit(pipe, true_cfg_scale=1.0, guidance_scale=1.0, callback_on_step_end=keep("off"))
    edit(pipe, true_cfg_scale=4.0, callback_on_step_end=keep("plain"))
    same_as_off = [torch.equal(a, b) for a, b in zip(seen["interval"], seen["off"], strict=True)]
    assert same_as_off == [True] * (STEPS // 2) + [False] * (STEPS // 2)
    assert not torch.equal(seen["interval"][-1], seen["plain"][-1])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ClassifierFreeZeroStarGuidance", {}),
        ("AdaptiveProjectedGuidance", {"adaptive_projected_guidance_rescale": 1e-3}),
        ("MagnitudeAwareGuidance", {}),
        ("TangentialClassifierFreeGuidance", {}),
    ],
)
def test_other_guiders_run_and_differ_from_plain_guidance(pipe, name, options):
    guider = getattr(guiders, name)(guidance_scale=4.0, **options)
    with counted(pipe.transformer) as counts:
        guided = edit(pipe, guider=guider)
    assert len(counts) == 2 * STEPS
    plain = edit(pipe, true_cfg_scale=4.0)
    assert np.isfinite(guided).all() and np.abs(guided - plain).max() > 1e-3
    np.testing.assert_array_equal(edit(pipe, guider=guider), guided)  # nothing is left over from the first
    np.testing.assert_array_equal(edit(pipe, true_cfg_scale=4.0), plain)  # nor in the transformer


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"guider": "CFG"}, TypeError, "one of diffusers.guiders"),
        ({"guider": 4.0}, TypeError, "got 4.0"),
    ],
)
def test_bad_guiders_are_refused_with_words(pipe, arguments, error, words):
    with pytest.raises(error, match=words):
        edit(pipe, **arguments)


def test_a_guider_and_a_scale_are_one_too_many(pipe):
    with pytest.raises(ValueError, match=r"true_cfg_scale=3.0 and a guider are both given"):
        edit(pipe, guider=guiders.ClassifierFreeGuidance(4.0), true_cfg_scale=3.0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("FrequencyDecoupledGuidance", "splits a picture into frequencies"),
        ("AutoGuidance", "skips or blurs layers"),
        ("PerturbedAttentionGuidance", "skips or blurs layers"),
    ],
)
def test_guiders_that_do_not_fit_are_refused(pipe, name, words):
    guider = object.__new__(getattr(guiders, name))  # making one takes options, and for one another package
    with pytest.raises(ValueError, match=words):
        edit(pipe, guider=guider)


# --- prompts encoded once ---------------------------------------------------------------------------


def test_prompts_encoded_before_give_the_same_picture(pipe):
    kept = pipe.encode("a ball", negative_prompt="a cat")
    ours = pipe(
        image=random_picture(),
        mask_image=random_mask(),
        true_cfg_scale=4.0,
        num_inference_steps=STEPS,
        generator=torch.Generator("cpu").manual_seed(0),
        output_type="np",
        **kept,
    ).images
    np.testing.assert_array_equal(ours, edit(pipe, true_cfg_scale=4.0))


def test_encoding_one_prompt_leaves_the_negative_one_out(pipe):
    kept = pipe.encode(["a ball", "a cat"])
    assert set(kept) == {"prompt_embeds", "pooled_prompt_embeds"}
    assert len(kept["prompt_embeds"]) == len(kept["pooled_prompt_embeds"]) == 2


def test_prompts_can_be_encoded_before_the_first_edit(pipe, tiny_folder):
    fresh = FluxFillCFGPipeline.from_pretrained(tiny_folder)
    for name, tensor in fresh.encode("a ball").items():
        assert torch.equal(tensor, pipe.encode("a ball")[name])


# --- step caches ------------------------------------------------------------------------------------


def cache_configs():
    from diffusers import FirstBlockCacheConfig, MagCacheConfig, TaylorSeerCacheConfig

    return {
        "first block": FirstBlockCacheConfig(threshold=0.5),
        "TaylorSeer": TaylorSeerCacheConfig(cache_interval=3, disable_cache_before_step=2, max_order=1),
        "MagCache": MagCacheConfig(
            num_inference_steps=STEPS, mag_ratios=torch.ones(STEPS), threshold=0.5, retention_ratio=0.2
        ),
    }


@pytest.mark.parametrize("name", ["first block", "TaylorSeer", "MagCache"])
def test_step_caches_save_calls_and_stay_near_the_exact_result(pipe, tiny_folder, name):
    exact = edit(pipe, true_cfg_scale=4.0, batched_cfg=False)
    cached = quiet(FluxFillCFGPipeline.from_pretrained(tiny_folder))
    cached.transformer.enable_cache(cache_configs()[name])
    with counted(cached.transformer.single_transformer_blocks[0].attn.to_q) as calls:
        near = edit(cached, true_cfg_scale=4.0, batched_cfg=False)
    assert 2 <= len(calls) < 2 * STEPS  # a step in full for each branch, at least
    difference = np.abs(near - exact).mean()
    assert 0 < difference < 0.05


def test_a_cache_that_is_enabled_after_an_edit_is_seen(tiny_folder, monkeypatch):
    """Before 0.42 diffusers remembered which blocks had a cache at the first edit."""
    from diffusers import FirstBlockCacheConfig
    from diffusers.hooks import HookRegistry

    monkeypatch.setattr(HookRegistry, "invalidate_child_registries_cache", lambda self: None, raising=False)
    pipe = quiet(FluxFillCFGPipeline.from_pretrained(tiny_folder))
    plain = edit(pipe)
    pipe.transformer.enable_cache(
        FirstBlockCacheConfig(threshold=-1.0)
    )  # which computes everything all the same
    np.testing.assert_array_equal(edit(pipe), plain)
