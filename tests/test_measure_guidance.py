"""The study of guidance counts what an edit computes, and changes one thing at a time."""

from dataclasses import dataclass

import pytest
from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig
from tiny import random_mask, random_picture

from onereward_nb.postcards.measure.guidance import Passes, Setting, edit, interval, settings

STEPS = 4


@dataclass
class Case:
    """An example of a size that the tiny random model can edit."""

    image: object
    mask: object
    seed: int = 3
    task: str = "fill"
    prompt: str = "a red ball"


CASE = Case(random_picture(32, 32), random_mask(32, 32))


@pytest.fixture
def small(pipe, monkeypatch):
    monkeypatch.setattr(
        pipe, "settings", {"true_cfg_scale": 4.0, "num_inference_steps": STEPS}, raising=False
    )
    return pipe


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting("scale", "4"), 2 * STEPS),
        (Setting("scale", "1", {"true_cfg_scale": 1.0}), STEPS),
        (Setting("steps", "2", {"num_inference_steps": 2}), 4),
        (Setting("interval", "half", guider=interval(4.0, 0, 0.5)), 1.5 * STEPS),
        (Setting("cache", "none", {"batched_cfg": False}), 2 * STEPS),
    ],
)
def test_passes_are_counted(small, setting, expected):
    with Passes(small.transformer) as passes:
        edit(small, [CASE, CASE], setting)
    assert passes.number == 2 * expected  # of two pictures


@pytest.mark.parametrize(
    "cache",
    [
        FirstBlockCacheConfig(threshold=0.9),
        TaylorSeerCacheConfig(cache_interval=2, disable_cache_before_step=1, max_order=1),
    ],
)
def test_blocks_that_a_cache_skips_are_not_counted_and_the_cache_goes_away(small, cache):
    with Passes(small.transformer) as passes:
        edit(small, [CASE], Setting("cache", "some", {"batched_cfg": False}, cache=cache))
    assert 2 <= passes.number < 2 * STEPS
    assert not small.transformer.is_cache_enabled


def test_every_setting_has_a_name_of_its_own():
    named = [(setting.sweep, setting.name) for setting in settings(2.0)]
    assert len(set(named)) == len(named)
