"""Success rates, their intervals, and what is run to get them."""

import itertools
import math
from types import SimpleNamespace

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


def test_intervals_of_rates_and_changes_stay_where_these_can_be():
    for trials in range(1, 200):
        assert evaluation.wilson(0, trials)[0] >= 0 and evaluation.wilson(trials, trials)[1] <= 1
    assert evaluation.paired_difference(0, 2, 2)["low"] == -1
    assert evaluation.paired_difference(2, 0, 2)["high"] == 1


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


def test_a_mean_comes_with_its_interval():
    low, high = evaluation.mean_interval([0.0, 0.5, 1.0])
    assert evaluation.mean([0.0, 0.5, 1.0]) == {"mean": 0.5, "low": low, "high": high}
    # of deviations -1/2, 0 and 1/2 the variance is 1/2 over two, not over three
    assert (high - low) / 2 == pytest.approx(evaluation.Z * math.sqrt(0.25 / 3))
    assert evaluation.mean_interval([0.5]) == (-math.inf, math.inf)


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
    device = SimpleNamespace(type="cpu")

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


def test_what_is_evaluated_are_the_examples_of_the_seeds_asked_for():
    pipe = Recorder()
    evaluation.evaluate(pipe, "fill", count=3, first_seed=7, num_inference_steps=2)
    assert [seed for _, seeds, _ in pipe.calls for seed in seeds] == [7, 8, 9]
    assert pipe.calls[0][2]["num_inference_steps"] == 2


def test_the_trained_model_fills_far_better_than_doing_nothing(postcard):
    few = {"count": 12, "first_seed": 1_600_000, "num_inference_steps": 8}
    rate = evaluation.evaluate(postcard, "fill", **few)["success"]["rate"]
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
    # each bin counts by its things: three that are as said, and one that is not
    assert evaluation.calibration([1.0, 1.0, 1.0, 0.0], [True] * 4)["expected error"] == 0.25


@pytest.mark.parametrize("chances", [[], [0.5, 1.2], [-0.1, 0.5], [0.5, math.nan], [0.5, 0.5, 0.5]])
def test_calibration_needs_a_chance_for_each_outcome(chances):
    with pytest.raises(ValueError, match="chances from 0 to 1"):
        evaluation.calibration(chances, [True, False][: len(chances)])


# --- which of two is better -----------------------------------------------------------------------


def chances_of(trials, rate):
    """The binomial probabilities of 0 to `trials` successes."""
    return np.array([math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(trials + 1)])


def chances_of_pairs(pairs, up, down):
    """{(better, worse): probability}, by the trinomial distribution."""
    return {
        (better, worse): math.comb(pairs, better)
        * math.comb(pairs - better, worse)
        * up**better
        * down**worse
        * (1 - up - down) ** (pairs - better - worse)
        for better in range(pairs + 1)
        for worse in range(pairs + 1 - better)
    }


def test_newcombes_own_example():
    change = evaluation.difference(evaluation.rate([1] * 56 + [0] * 14), evaluation.rate([1] * 48 + [0] * 32))
    assert change["change"] == pytest.approx(0.2)
    # table II of Newcombe, Statistics in Medicine 17 (1998), method 10
    assert (change["low"], change["high"]) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(("old", "new"), [(0.5, 0.5), (0.1, 0.3), (0.95, 0.9), (0.02, 0.6)])
def test_the_interval_of_a_difference_holds_the_truth_by_exact_sums(old, new):
    trials = 40
    rates = [evaluation.rate(np.arange(trials) < count) for count in range(trials + 1)]
    weights = np.outer(chances_of(trials, old), chances_of(trials, new))
    held = 0.0
    for before, row in zip(rates, weights, strict=True):
        for after, weight in zip(rates, row, strict=True):
            change = evaluation.difference(after, before)
            held += weight * (change["low"] <= new - old <= change["high"])
    assert 0.93 <= held <= 0.985


@pytest.mark.parametrize(
    ("up", "down"), [(0.1, 0.1), (0.3, 0.05), (0.05, 0.02), (0.5, 0.3), (0.01, 0.01), (0.6, 0.0)]
)
def test_the_interval_of_pairs_holds_the_truth_by_exact_sums(up, down):
    held = 0.0
    for (better, worse), weight in chances_of_pairs(40, up, down).items():
        change = evaluation.paired_difference(better, worse, 40)
        held += weight * (change["low"] <= up - down <= change["high"])
    assert held >= 0.93


def test_pairs_that_go_together_give_a_narrower_interval_than_their_rates():
    rng = np.random.default_rng(0)
    ease = rng.random(400)
    old, new = ease < 0.5, ease < 0.6  # the same examples are hard for both
    apart = evaluation.difference(evaluation.rate(new), evaluation.rate(old))
    paired = evaluation.paired_difference(int((new & ~old).sum()), int((old & ~new).sum()), 400)
    assert paired["change"] == pytest.approx(apart["change"])
    assert paired["high"] - paired["low"] < 0.6 * (apart["high"] - apart["low"])


def test_swapped_models_swap_the_sign():
    there, back = evaluation.paired_difference(9, 3, 50), evaluation.paired_difference(3, 9, 50)
    assert (there["change"], there["low"], there["high"]) == pytest.approx(
        (-back["change"], -back["high"], -back["low"])
    )


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (3, 3), (5, 1), (1, 7), (10, 0), (4, 6)])
def test_the_sign_test_counts_all_games_that_are_as_uneven(wins, losses):
    games = itertools.product([1, -1], repeat=wins + losses)
    as_uneven = [abs(sum(game)) >= abs(wins - losses) for game in games]
    assert evaluation.sign_test(wins, losses) == pytest.approx(np.mean(as_uneven))


def test_of_many_games_too():
    assert evaluation.sign_test(5000, 5200) == pytest.approx(0.0488, abs=1e-3)


@pytest.mark.parametrize(("old", "new"), [(0.5, 0.65), (0.1, 0.25), (0.9, 0.75)])
def test_so_many_examples_find_the_difference_in_four_studies_of_five(old, new):
    trials = evaluation.examples_to_tell(old, new)
    before, after = np.meshgrid(*[np.arange(trials + 1) / trials] * 2, indexing="ij")
    both = (before + after) / 2
    error = np.sqrt(np.maximum(2 * both * (1 - both) / trials, 1e-12))
    weights = np.outer(chances_of(trials, old), chances_of(trials, new))
    found = weights[np.abs(after - before) > evaluation.Z * error].sum()
    assert found == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("better", "worse"), [(0.1, 0.03), (0.1, 0.3), (0.4, 0.2)])
def test_so_many_pairs_find_the_winner_in_four_studies_of_five(better, worse):
    pairs = evaluation.pairs_to_tell(better, worse)
    found = sum(
        weight
        for (up, down), weight in chances_of_pairs(pairs, better, worse).items()
        if abs(up - down) > evaluation.Z * math.sqrt(up + down)
    )
    assert 0.77 <= found <= 0.85  # the error of the study itself is estimated, too


def test_more_power_and_smaller_differences_take_more():
    assert evaluation.examples_to_tell(0.5, 0.6, power=0.9) > evaluation.examples_to_tell(0.5, 0.6)
    assert evaluation.examples_to_tell(0.5, 0.55) > 3 * evaluation.examples_to_tell(0.5, 0.6)
    # if a tenth of the pairs change, they take far fewer than two separate groups
    assert evaluation.pairs_to_tell(0.075, 0.025) < evaluation.examples_to_tell(0.5, 0.55) / 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evaluation.paired_difference(3, 2, 4), "3 better and 2 worse of 4 pairs"),
        (lambda: evaluation.paired_difference(0, 0, 0), "at least one pair"),
        (lambda: evaluation.sign_test(-1, 3), "-1 wins and 3 losses"),
        (lambda: evaluation.examples_to_tell(0.5, 0.5), "two different shares"),
        (lambda: evaluation.examples_to_tell(0.5, 60), "shares of 0.5 and 60"),
        (lambda: evaluation.pairs_to_tell(0.2, 0.1, power=80), "power 80"),
        (lambda: evaluation.pairs_to_tell(0.8, 0.3), "more than all pairs"),
    ],
)
def test_impossible_questions_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
