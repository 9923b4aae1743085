"""Runs of reinforcement learning: they resume where they were, stop before harm is kept, and share the work."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from objectives import Darker, darkness, tiny_edits, tiny_pipe
from safetensors.torch import load_file

from onereward_nb import evaluation, load_pipeline
from onereward_nb.lora import add_lora, save_lora
from onereward_nb.models import MODELS, models_folder, obstacle_to
from onereward_nb.postcards import showcase
from onereward_nb.postcards.train import onereward
from onereward_nb.postcards.train.rewarded import Collapse, RewardedRun, true_score
from onereward_nb.rl import Algorithm1, Algorithm2, Settings
from onereward_nb.tasks import TASKS


class Failing(Darker):
    """Darker, until it has been asked a number of times: then not a number."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def rewards(self, images, references, **query):
        self.times -= 1
        rewards = super().rewards(images, references, **query)
        return {name: p * (float("nan") if self.times < 0 else 1) for name, p in rewards.items()}


def start(out, make=Algorithm1, judge=None, seed=0, iterations=6, measure_every=2, rate=1e-3, settings=None):
    """A run of a toy, measured by how dark its pictures are, and its edits."""
    args = Namespace(out=out, minutes=1e6, lr=rate, batch=3, seed=seed, device="cpu")
    args.iterations, args.measure_every = iterations, measure_every
    run = RewardedRun(args)
    pipe = tiny_pipe()
    settings = settings or Settings(steps=2, t_range=(0.5, 1.0), tau=0.8)
    algorithm = make(pipe, judge or Darker(), settings)
    edits = {"removal": tiny_edits(pipe, count=4), "text": tiny_edits(pipe, "text", count=4)}
    run.kept = []

    def measure():
        with algorithm.using(algorithm.ema):
            score = darkness(algorithm.rollout, edits["removal"]) ** 6  # so that small changes show
        return {"removal": {"removal quality": {"mean": score}, "success": {"rate": score}}}

    run.prepare(algorithm, measure, lambda: run.kept.append(run.step))
    return run, edits


def state(run):
    """All that a run goes on from: weights, average, reference, optimiser, random numbers."""
    algorithm = run.bare_model
    tensors = [*algorithm.trained, *algorithm.ema, *algorithm.reference, torch.get_rng_state()]
    for weight in algorithm.trained:
        tensors += [run.optimizer.state[weight][key] for key in ("step", "exp_avg", "exp_avg_sq")]
    return [tensor.detach().clone() for tensor in tensors]


@pytest.mark.parametrize("make", [Algorithm1, Algorithm2])
def test_a_resumed_run_equals_one_that_was_never_interrupted(tmp_path, make):
    whole, edits = start(tmp_path / "whole", make)
    whole.learn(edits)
    expected = state(whole)

    first, edits = start(tmp_path / "parts", make)
    first.share_over = first.part_over
    first.part_over = lambda: (
        1.0 if first.step == 3 else first.share_over()
    )  # time is up, between measurements
    first.learn(edits)
    assert first.step == 3
    resumed, edits = start(tmp_path / "parts", make, seed=5)
    for weight in resumed.bare_model.reference:
        assert resumed.step == 3 and weight.isfinite().all()
    resumed.learn(edits)
    assert resumed.step == 6 == whole.step
    for ours, theirs in zip(state(resumed), expected, strict=True):
        assert torch.equal(ours, theirs)
    assert resumed.scores == [*whole.scores[:2], first.scores[-1], *whole.scores[2:]]


def test_the_reference_is_resumed_even_where_the_start_has_changed(tmp_path):
    run, edits = start(tmp_path, iterations=2)
    run.learn(edits)
    reference = [weight.clone() for weight in run.bare_model.reference]
    args = run.args
    pipe = tiny_pipe(seed=1)
    other = RewardedRun(args)
    other.prepare(Algorithm1(pipe, Darker(), run.bare_model.settings), run.measure, run.keep)
    assert all(torch.equal(a, b) for a, b in zip(other.bare_model.reference, reference, strict=True))


def test_the_log_tells_rewards_by_task_and_true_scores(tmp_path, capsys):
    run, edits = start(tmp_path)
    run.learn(edits)
    log = json.loads((tmp_path / "log.json").read_text())
    measured = [entry for entry in log if "true score" in entry]
    assert [entry["step"] for entry in measured] == [0, 2, 4, 6]
    assert all(0 < entry["success"]["removal"] < 1 for entry in measured)
    rewarded = [entry for entry in log if "reward" in entry]
    assert {task for entry in rewarded for task in entry["reward"]} == {"removal", "text"}
    assert all(0 < value < 1 for entry in rewarded for value in entry["reward"].values())
    said = capsys.readouterr().out
    assert "true score 0." in said and "rewards: " in said
    best = max(entry["true score"] for entry in measured[1:])
    assert run.kept[0] == 2 and measured[run.kept[-1] // 2]["true score"] == best


def test_a_reward_that_is_not_a_number_stops_with_words_and_keeps_the_good_checkpoint(tmp_path):
    run, edits = start(tmp_path, judge=Failing(3), settings=Settings(steps=2, t_range=(0.5, 1.0)))
    del edits["text"]  # one question an iteration
    words = "loss is nan at step 4: resume from .* with a smaller --lr"
    with pytest.raises(FloatingPointError, match=words):
        run.learn(edits)
    resumed, _ = start(tmp_path)
    assert resumed.step == 2 and all(weight.isfinite().all() for weight in resumed.bare_model.trained)


def test_weights_that_are_not_finite_are_neither_measured_nor_kept(tmp_path):
    run, edits = start(tmp_path, iterations=2)
    run.learn(edits)
    run.bare_model.trained[0].data[0] = float("inf")
    with pytest.raises(FloatingPointError, match="weights are not finite at step 2"):
        run.judge()
    resumed, _ = start(tmp_path)
    assert all(weight.isfinite().all() for weight in resumed.bare_model.trained) and run.kept == [2]


def test_a_collapse_stops_with_words_and_keeps_the_good_checkpoint(tmp_path):
    """A reward for the opposite of what is measured: the reward rises, the true score falls."""
    settings = Settings(steps=2, t_range=(0.5, 1.0), tau=0.2, bound=1.0)
    run, edits = start(
        tmp_path, judge=Darker(sign=-1.0), iterations=60, measure_every=4, rate=2e-3, settings=settings
    )
    with pytest.raises(Collapse, match=r"the true score fell from 0\.\d+ to 0\.\d+ at step \d+: resume from"):
        run.learn(edits)
    resumed, _ = start(tmp_path)
    assert resumed.step == run.step - 4
    assert resumed.scores[-1] >= 0.75 * resumed.scores[0]
    assert run.kept and run.kept[-1] < run.step


def test_only_what_scores_best_so_far_is_kept(tmp_path):
    run, edits = start(tmp_path, iterations=8)
    scores = iter([0.7, 0.6, 0.8, 0.7, 0.8])  # the first is of the model that it starts from
    run.measure = lambda: {
        "removal": {"removal quality": {"mean": (score := next(scores))}, "success": {"rate": score}}
    }
    run.learn(edits)
    assert run.kept == [2, 4, 8]


def test_a_run_that_is_over_stays_as_it_is(tmp_path):
    run, edits = start(tmp_path, iterations=2)
    run.learn(edits)
    finished = state(run)
    again, edits = start(tmp_path, iterations=2)
    again.learn(edits)
    assert again.step == 2 and again.scores == run.scores
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(state(again), finished, strict=True))


def test_the_true_score_is_the_mean_over_tasks_of_success_and_dimensions():
    figures = {
        task: {"success": {"rate": 0.9}, "outside": {"mean": 0.0}}
        | {name: {"mean": 0.1 * place} for place, name in enumerate(TASKS[task].dimensions, 1)}
        for task in ("fill", "removal")
    }
    assert true_score(figures) == pytest.approx(((0.9 + 1.0) / 5 + (0.9 + 0.1) / 2) / 2)


# --- the script ------------------------------------------------------------------------------------


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    if obstacle := obstacle_to(MODELS["postcard-fill"]):
        pytest.fail(obstacle)
    monkeypatch.setitem(MODELS["postcard-fill"].settings, "num_inference_steps", 2)  # for measurements
    monkeypatch.setattr(showcase, "SHOWN", ("removal",))  # for samples
    words = (
        "--reward none --scenes 4 --batch 2 --iterations 2 --measure-every 2 --tuning-examples 2 --steps 2"
    )
    return onereward.options().parse_args(
        [*words.split(), "--device", "cpu", "--tasks", "removal", "--out", str(tmp_path / "run")]
    )


def test_the_script_trains_the_small_model_and_what_it_writes_opens(arguments, tmp_path, monkeypatch):
    run = onereward.train(arguments, Darker())
    before = torch.get_rng_state()
    run.sample()
    assert torch.equal(torch.get_rng_state(), before)  # or a resumed run would not equal another

    figures = json.loads((arguments.out / "training.json").read_text())
    assert figures["settings"]["steps"] == 2 and figures["log"][-1]["step"] == 2
    assert (arguments.out / "sample-000002.png").exists()
    measured = figures["log"][-1]["figures"]["removal"]
    assert measured["success"]["examples"] == 2 and 0 < measured["removal quality"]["mean"] < 1

    folder = arguments.out / "postcard-fill-onereward" / "transformer"
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    names = [name for name, _ in run.bare_model.policy.named_parameters()]
    for name, average in zip(names, run.bare_model.ema, strict=True):
        assert torch.equal(weights[name], average.to(torch.bfloat16))

    models = tmp_path / "models"
    models.mkdir()
    (models / "postcard-fill").symlink_to(models_folder() / "postcard-fill")
    (models / "postcard-fill-onereward").symlink_to(folder.parent)
    monkeypatch.setenv("ONEREWARD_NB_MODELS", str(models))
    pipe = load_pipeline("postcard-fill-onereward", device="cpu")
    again = evaluation.evaluate(pipe, "removal", 2, evaluation.TUNING)
    assert again["removal quality"]["mean"] == pytest.approx(measured["removal quality"]["mean"], abs=0.02)


def test_the_script_trains_a_lora(arguments):
    arguments.lora = 4
    run = onereward.train(arguments, Darker())
    folder = arguments.out / "postcard-fill-onereward"
    weights = load_file(folder / "pytorch_lora_weights.safetensors")
    assert sum(weight.numel() for weight in weights.values()) == sum(w.numel() for w in run.bare_model.ema)


def test_a_lora_that_can_not_be_saved_leaves_the_old_one(tmp_path, monkeypatch):
    pipe = tiny_pipe()
    add_lora(pipe, rank=2)
    save_lora(pipe, tmp_path)
    path = tmp_path / "pytorch_lora_weights.safetensors"
    before = path.read_bytes()

    def fail(folder, **layers):
        (Path(folder) / path.name).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(pipe, "save_lora_weights", fail)
    with pytest.raises(OSError, match="no space left"):
        save_lora(pipe, tmp_path)
    assert path.read_bytes() == before


def test_seeds_for_tuning_are_refused(arguments):
    arguments.first_seed = 899_998
    with pytest.raises(ValueError, match="seed 900001 is for tuning or evaluation"):
        onereward.train(arguments, Darker())
