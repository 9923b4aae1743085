"""Success rates, their intervals, and what is run to get them."""

import numpy as np
import pytest
from PIL import Image

from onereward_nb import evaluation, postcards


@pytest.mark.parametrize("seed", range(20))
def test_wilson_holds_the_rates_within_z_standard_errors(seed):
    rng = np.random.default_rng(seed)
    trials = int(rng.integers(1, 500))
    successes = int(rng.integers(0, trials + 1))
    rates = np.linspace(0, 1, 200_001)
    errors = np.sqrt(rates * (1 - rates) / trials)
    held = rates[np.abs(rates - successes / trials) <= evaluation.Z * errors + 1e-12]
    assert evaluation.wilson(successes, trials) == pytest.approx((held.min(), held.max()), abs=2e-5)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} successes of {trials}"):
        evaluation.wilson(successes, trials)


def test_the_interval_of_a_mean_holds_the_truth_19_times_in_20():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        low, high = evaluation.mean_interval(rng.normal(0.3, 1, 60))
        held += low <= 0.3 <= high
    assert 925 <= held <= 970


def test_a_summary_counts_successes_and_averages_dimensions():
    scores = [{"success": i < 3, "structure": i / 4} for i in range(4)]
    summary = evaluation.summarise(scores)
    assert summary["success"]["rate"] == 0.75 and summary["success"]["examples"] == 4
    assert summary["structure"]["mean"] == pytest.approx(0.375)
    assert summary["structure"]["low"] < 0.375 < summary["structure"]["high"]


class Recorder:
    """A pipeline that notes what it is asked for and answers with its input."""

    settings = {"true_cfg_scale": 4.0, "num_inference_steps": 28}  # noqa: RUF012
    default_size = 64

    def __init__(self):
        self.calls = []

    def __call__(self, prompts, image, mask_image, generator, **settings):
        self.calls.append((prompts, [g.initial_seed() for g in generator], settings))
        return type("Output", (), {"images": image})


def test_examples_are_run_in_batches_each_with_its_own_seed_and_the_models_settings():
    pipe = Recorder()
    examples = [postcards.example("fill", seed, size=64) for seed in range(5)]
    results = evaluation.edit_examples(pipe, examples, batch=2, true_cfg_scale=1.0)
    assert results == [each.image for each in examples]
    assert [seeds for _, seeds, _ in pipe.calls] == [[0, 1], [2, 3], [4]]
    assert [prompt for prompts, _, _ in pipe.calls for prompt in prompts] == [
        each.prompt for each in examples
    ]
    assert all(settings == {"true_cfg_scale": 1.0, "num_inference_steps": 28} for *_, settings in pipe.calls)
    assert all(isinstance(result, Image.Image) for result in results)


def test_the_trained_model_fills_far_better_than_doing_nothing(postcard):
    rate = evaluation.evaluate(postcard, "fill", count=12, first_seed=1_600_000)["success"]["rate"]
    examples = [postcards.example("fill", seed) for seed in range(1_600_000, 1_600_012)]
    untouched = evaluation.summarise(postcards.score_all(examples, [each.image for each in examples]))
    assert untouched["success"]["rate"] == 0 and rate >= 0.4


def test_results_are_read_by_name_with_their_command():
    figures = evaluation.load_results("postcard-reader")
    assert figures["command"].startswith("python -m onereward_nb.postcards.measure reader")
    with pytest.raises(FileNotFoundError, match=r"no results 'postcard-thief': there are .*postcard-reader"):
        evaluation.load_results("postcard-thief")


def test_calibration_compares_what_is_said_with_what_comes_true():
    rng = np.random.default_rng(0)
    chances = rng.random(20000)
    honest = evaluation.calibration(chances, rng.random(20000) < chances)
    assert honest["expected error"] < 0.015
    assert sum(each["examples"] for each in honest["bins"]) == 20000
    bold = evaluation.calibration(np.where(chances > 0.5, 0.95, 0.05), rng.random(20000) < chances)
    # it says 95% where 75% come true, and 5% where 25% do
    assert bold["expected error"] == pytest.approx(0.2, abs=0.01)
    assert [each["true"] for each in bold["bins"]] == pytest.approx([0.25, 0.75], abs=0.02)
    assert evaluation.calibration([1.0, 0.0], [True, False])["expected error"] == 0


@pytest.mark.parametrize("chances", [[], [0.5, 1.2], [0.5, 0.5, 0.5]])
def test_calibration_needs_a_chance_for_each_outcome(chances):
    with pytest.raises(ValueError, match="chances from 0 to 1"):
        evaluation.calibration(chances, [True, False][: len(chances)])
