"""Models against each other on the same examples."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from onereward_nb.models import MODELS
from onereward_nb.postcards.measure import comparison
from onereward_nb.postcards.measure.comparison import good_same_bad, measure, overall, small_models
from onereward_nb.tasks import TASKS


def scores_of(values, task):
    return [dict.fromkeys(TASKS[task].dimensions, value) for value in values]


@pytest.mark.parametrize("task", TASKS)
def test_good_same_and_bad_are_counted_edit_by_edit(task):
    before = [0.5, 0.5, 0.5, 0.5, 0.5]
    after = [0.6, 0.52, 0.48, 0.4, 0.9]
    shares = good_same_bad(scores_of(after, task), scores_of(before, task), task)
    assert [shares[name]["rate"] for name in ("good", "same", "bad")] == pytest.approx([0.4, 0.4, 0.2])
    assert all(shares[name]["examples"] == 5 for name in shares)


def test_good_same_and_bad_add_up_and_swap_with_the_models():
    rng = np.random.default_rng(0)
    one, other = (scores_of(rng.random(50), "fill") for _ in range(2))
    there, back = good_same_bad(one, other, "fill"), good_same_bad(other, one, "fill")
    assert sum(each["rate"] for each in there.values()) == pytest.approx(1)
    assert there["good"] == back["bad"] and there["same"] == back["same"]


def test_the_overall_score_is_the_mean_of_the_tasks_own_dimensions():
    score = {"text alignment": 1.0, "consistency": 0.5, "structure": 0.0, "aesthetics": 0.5, "outside": 9.0}
    assert overall([score], "fill") == pytest.approx([0.5])
    assert overall([{"removal quality": 0.3, "success": True}], "removal") == pytest.approx([0.3])


def test_the_models_that_ship_are_compared_the_base_first():
    names = small_models()
    assert names[0] == comparison.BASE
    assert all(not MODELS[name].full_size and MODELS[name].kind == "pipeline" for name in names)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["postcard-fill-onereward"], r"models are \['postcard-fill-onereward'\]: name postcard-fill too"),
        (["postcard-fill"] * 2, r"models are \['postcard-fill', 'postcard-fill'\]: name each of them once"),
    ],
)
def test_models_without_the_base_or_named_twice_are_refused_before_any_edit(names, words):
    with pytest.raises(ValueError, match=words):
        measure(names, 1, "cpu", num_inference_steps=1)


def test_the_oracle_scores_in_processes_of_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # what a process would take by itself
    with comparison.pool(1) as oracle:
        assert oracle.submit(torch.get_num_threads).result() == 1


@pytest.fixture
def in_a_thread(monkeypatch):
    """The oracle scores in a thread: what is measured is the same, and no process has to start."""
    monkeypatch.setattr(comparison, "pool", lambda: ThreadPoolExecutor(1))


def test_every_model_task_and_scale_is_measured(monkeypatch, in_a_thread):
    monkeypatch.setattr(comparison, "SCALES", {"own": None, "1": 1.0})
    figures = measure(["postcard-fill"], 2, "cpu", num_inference_steps=1)
    table = figures["models"]["postcard-fill"]
    assert list(table) == ["own", "1"] and all(list(each) == list(TASKS) for each in table.values())
    assert table["own"]["fill"]["success"]["examples"] == 2
    assert figures["against the base"] == {} and figures["overrides"] == {"num_inference_steps": 1}


def test_a_distilled_model_is_its_own_without_a_second_branch(monkeypatch, in_a_thread):
    monkeypatch.setattr(comparison, "SCALES", {"own": None, "1": 1.0})
    table = measure([comparison.BASE, "postcard-fill-distilled"], 1, "cpu", num_inference_steps=1)["models"]
    assert table["postcard-fill-distilled"]["own"] == table["postcard-fill-distilled"]["1"]
