"""Reinforcement learning: the rollout is the pipeline's, the algorithms do what their listings say."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from objectives import Darker, Fixed, darkness, tiny_edits, tiny_inputs, tiny_pipe
from tiny import quiet

from onereward_nb import FluxFillCFGPipeline
from onereward_nb.lora import add_lora, save_lora
from onereward_nb.rl import TASK_SHARES, Algorithm1, Algorithm2, Settings, draw_conditions
from onereward_nb.rollout import Rollout, joined, prepare
from onereward_nb.tasks import TASKS

STEPS = 4
QUICK = {"steps": STEPS, "t_range": (0.5, 1.0)}


def seeded(seed=0):
    return torch.Generator("cpu").manual_seed(seed)


def values(weights):
    return [weight.detach().clone() for weight in weights]


def equal(some, others):
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


# --- the rollout -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("size", [(48, 32), (50, 41)], ids=str)
def test_a_whole_rollout_equals_the_pipeline(scale, size):
    pipe = tiny_pipe()
    prompts, images, masks = tiny_inputs(3, *size)
    rollout = Rollout(pipe, STEPS, scale)
    conditions = prepare(pipe, "fill", prompts, images, masks, "nsfw", seeded())
    noise = torch.randn(3, conditions.context.shape[1], 64, generator=seeded(1))
    arguments = {
        "prompt": prompts,
        "image": images,
        "mask_image": masks,
        "negative_prompt": "nsfw",
        "true_cfg_scale": scale,
        "guidance_scale": 1.0,
        "num_inference_steps": STEPS,
        "latents": noise,
    }
    raw = pipe(**arguments, generator=seeded(), output_type="latent").images
    shown = pipe(**arguments, generator=seeded(), output_type="pt").images
    latents = rollout.denoise(noise, conditions)
    torch.testing.assert_close(latents, raw, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rollout.pictures(latents, conditions), shown, atol=1e-5, rtol=1e-5)
    assert (raw[0] - raw[1]).abs().max() > 0.1 and raw.std() > 0.1


@pytest.mark.parametrize("step", range(STEPS))
def test_one_step_predicts_the_clean_latents_that_the_pipeline_sees_there(step):
    pipe = tiny_pipe()
    prompts, images, masks = tiny_inputs()
    rollout = Rollout(pipe, STEPS, 4.0)
    conditions = prepare(pipe, "fill", prompts, images, masks, "nsfw", seeded())
    noise = torch.randn(3, conditions.context.shape[1], 64, generator=seeded(1))
    predicted = []

    def look(pipe, step, timestep, tensors):
        predicted.append(tensors["pred_original_latents"])

    pipe(
        prompts,
        image=images,
        mask_image=masks,
        negative_prompt="nsfw",
        true_cfg_scale=4.0,
        guidance_scale=1.0,
        num_inference_steps=STEPS,
        latents=noise,
        generator=seeded(),
        callback_on_step_end=look,
        callback_on_step_end_tensor_inputs=("pred_original_latents",),
    )
    latents = rollout.denoise(noise, conditions, until=step)
    assert not latents.requires_grad
    clean = rollout.predict_clean(latents, conditions, step)
    assert clean.requires_grad
    torch.testing.assert_close(clean.detach(), predicted[step], atol=1e-5, rtol=1e-5)
    if step:
        assert (clean - predicted[step - 1]).abs().max() > 1e-3


def test_the_gradient_passes_through_both_branches_or_the_prompts_alone():
    pipe, scale = tiny_pipe(), 3.0
    conditions = tiny_edits(pipe)
    step = 2
    start = Rollout(pipe, STEPS, scale)
    latents = start.denoise(start.noise(conditions), conditions, until=step)
    timesteps = start._schedule(conditions)
    sigma = pipe.scheduler.sigmas[step]

    def gradients(of):
        weights = list(pipe.transformer.parameters())
        return torch.cat(
            [g.flatten() for g in torch.autograd.grad(of.square().sum() / 2, weights, retain_graph=True)]
        )

    def branch(text):
        rows = type(text)(*(side.expand(3, *side.shape[1:]) for side in text))
        return pipe.velocity(latents, conditions.context, conditions.positions, timesteps[step] / 1000, rows)

    v_neg, v_pos = branch(conditions.negative), branch(conditions.positive)
    with_both = latents - sigma * (v_neg + scale * (v_pos - v_neg))
    with_one = latents - sigma * (v_neg.detach() + scale * (v_pos - v_neg.detach()))
    expected = {True: gradients(with_both), False: gradients(with_one)}
    for both_branches, gradient in expected.items():
        rollout = Rollout(pipe, STEPS, scale, both_branches)
        clean = rollout.predict_clean(latents, conditions, step)
        torch.testing.assert_close(clean, with_both)
        torch.testing.assert_close(gradients(clean), gradient, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(expected[True], expected[False], rtol=0.1, atol=0.1)


def test_only_painted_pixels_pass_a_gradient():
    pipe = tiny_pipe()
    conditions = tiny_edits(pipe)
    rollout = Rollout(pipe, STEPS)
    latents = rollout.noise(conditions).requires_grad_()
    pictures = rollout.pictures(latents, conditions)
    outside = ~conditions.masks.expand_as(pictures)
    assert torch.equal(pictures[outside], conditions.pictures[outside].float() / 255)
    (nothing,) = torch.autograd.grad(pictures[outside].sum(), latents, retain_graph=True)
    (something,) = torch.autograd.grad(pictures[~outside].sum(), latents)
    assert not nothing.any() and something.any()


def test_conditions_are_picked_and_joined_row_by_row():
    pipe = tiny_pipe()
    whole = tiny_edits(pipe, count=4)
    parts = joined([whole.pick([0, 1]), whole.pick([2, 3])])
    again = parts.pick([3, 1, 3])
    for name, tensor in (("context", again.context), ("pictures", again.pictures), ("masks", again.masks)):
        assert torch.equal(tensor, torch.stack([getattr(whole, name)[row] for row in (3, 1, 3)]))
    assert again.prompts == [whole.prompts[row] for row in (3, 1, 3)]
    assert torch.equal(again.positive.embeds, whole.positive.embeds[[3, 1, 3]])
    assert torch.equal(again.positive.pooled, whole.positive.pooled[[3, 1, 3]])
    with pytest.raises(ValueError, match="3 prompts, 2 images, 3 masks"):
        prompts, images, masks = tiny_inputs(3)
        prepare(pipe, "fill", prompts, images[:2], masks)
    with pytest.raises(ValueError, match=r"no task 'fil'\. Did you mean 'fill'"):
        prepare(pipe, "fil", prompts, images, masks)


# --- multi-task sampling ---------------------------------------------------------------------------


def test_tasks_are_drawn_with_the_papers_shares():
    pipe = tiny_pipe()
    edits = {task: tiny_edits(pipe, task) for task in TASKS}
    torch.manual_seed(0)
    draws = [draw_conditions(edits, 2) for _ in range(2000)]
    counts = Counter(draw.task for draw in draws)
    shares = {task: counts[task] / len(draws) for task in TASKS}
    assert shares["fill"] + shares["text"] == pytest.approx(0.5, abs=0.04)
    assert shares["extend"] + shares["extend-no-prompt"] == pytest.approx(0.25, abs=0.04)
    assert shares["removal"] == pytest.approx(0.25, abs=0.04)
    assert sum(TASK_SHARES.values()) == 1 and set(TASK_SHARES) == set(TASKS)
    assert {prompt for draw in draws for prompt in draw.prompts} == set(edits["fill"].prompts)
    assert draw_conditions({"removal": edits["removal"]}, 5).context.shape[0] == 5
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        draw_conditions(edits, batch=0)
    with pytest.raises(ValueError, match="edits holds no task to draw"):
        draw_conditions({}, batch=2)
    with pytest.raises(ValueError, match=r"each task of edits must be one of 'fill', .*, got 'foo'"):
        draw_conditions({"foo": edits["fill"]}, batch=2)


# --- one iteration ---------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_is_the_mean_hinge_over_the_tasks_dimensions(task):
    pipe, judge = tiny_pipe(), Darker()
    conditions = tiny_edits(pipe, task)
    algorithm = Algorithm1(pipe, judge, Settings(bound=0.6, **QUICK))
    loss, rewards = algorithm(conditions)
    assert tuple(rewards) == TASKS[task].dimensions
    ((images, references, named, prompts),) = judge.seen
    assert named == task and prompts == conditions.prompts
    hinges = []
    for sharpness, reward in zip((50, 100, 150, 200, 250), rewards.values(), strict=False):
        p = torch.sigmoid(sharpness * (references - images).mean(dim=(1, 2, 3)))
        torch.testing.assert_close(reward, p.mean())
        hinges.append((0.6 - p).clamp(min=0).mean())
    torch.testing.assert_close(loss, torch.stack(hinges).mean())
    assert all(not reward.requires_grad for reward in rewards.values())


def test_the_policys_picture_comes_first_and_each_has_noise_of_its_own():
    pipe, judge = tiny_pipe(), Darker()
    conditions = tiny_edits(pipe)
    algorithm = Algorithm1(pipe, judge, Settings(steps=STEPS, t_range=(0.75, 1.0)))
    with torch.no_grad():
        for weight in algorithm.trained:
            weight += 0.05 * torch.randn(weight.shape, generator=seeded(3))
    torch.manual_seed(7)
    algorithm(conditions)
    (images, references, *_), *_ = judge.seen

    rollouts = [Rollout(each, STEPS, 4.0) for each in (tiny_pipe(), pipe)]
    torch.manual_seed(7)
    noises = [rollout.noise(conditions) for rollout in rollouts]
    expected = rollouts[0].pictures(rollouts[0].denoise(noises[0], conditions), conditions)
    torch.testing.assert_close(references, expected)
    x_t = rollouts[1].denoise(noises[1], conditions, until=3)
    clean = rollouts[1].predict_clean(x_t, conditions, 3)
    torch.testing.assert_close(images, rollouts[1].pictures(clean, conditions).detach())
    assert (images - references).abs().max() > 0.01 and not torch.allclose(*noises)


def test_the_step_with_gradient_is_drawn_from_its_range(monkeypatch):
    pipe = tiny_pipe()
    algorithm = Algorithm1(pipe, Darker(), Settings(steps=10, t_range=(0.6, 0.9)))
    conditions, drawn = tiny_edits(pipe, count=1), []
    monkeypatch.setattr(
        algorithm.rollout,
        "denoise",
        lambda noise, conditions, until=None: drawn.append(until) or noise,
    )
    for _ in range(60):
        algorithm(conditions)
    assert set(drawn) == {None, 6, 7, 8}


def test_at_the_bound_nothing_is_learned():
    pipe = tiny_pipe()
    conditions = tiny_edits(pipe)

    def gradient(*probabilities):
        algorithm = Algorithm1(pipe, Fixed(*probabilities), Settings(bound=0.9, **QUICK))
        torch.manual_seed(5)
        loss, _ = algorithm(conditions)
        loss.backward()
        flat = torch.cat([weight.grad.flatten() for weight in algorithm.trained])
        pipe.transformer.zero_grad(set_to_none=True)
        return loss.item(), flat

    loss, nothing = gradient(0.9, 0.95, 1.0)
    assert loss == 0 and not nothing.any()
    loss, first = gradient(0.5, 0.95, 1.0)
    assert loss == pytest.approx(0.4 / 3) and first.any()
    _, second = gradient(0.9, 0.2, 1.0)
    _, both = gradient(0.5, 0.2, 1.0)
    torch.testing.assert_close(both, first + second)


# --- over many iterations --------------------------------------------------------------------------


def test_weights_that_no_reward_moves_stay_as_they_are():
    algorithm = Algorithm1(tiny_pipe(), Darker(), Settings(learning_rate=0.5))
    before = values(algorithm.trained)
    optimizer = algorithm.make_optimizer()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5]
    for weight in algorithm.trained:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert all(torch.equal(now, then) for now, then in zip(values(algorithm.trained), before, strict=True))


def iterate(algorithm, conditions, steps, rate=1e-3):
    """Plain iterations, as the module's docstring has them; the weights after each."""
    optimizer = algorithm.make_optimizer()
    for group in optimizer.param_groups:
        group["lr"] = rate
    weights = []
    for _ in range(steps):
        loss, _ = algorithm(conditions)
        loss.backward()
        assert not [weight for weight in [*algorithm.reference, *algorithm.ema] if weight.grad is not None]
        optimizer.step()
        optimizer.zero_grad()
        algorithm.follow()
        weights.append(values(algorithm.trained))
    return weights


@pytest.mark.parametrize("both_branches", [True, False])
@pytest.mark.parametrize("make", [Algorithm1, Algorithm2])
def test_the_true_objective_rises(make, both_branches):
    torch.manual_seed(0)
    pipe = tiny_pipe()
    conditions = tiny_edits(pipe, count=4)
    algorithm = make(pipe, Darker(), Settings(both_branches=both_branches, **QUICK))
    scores = [darkness(algorithm.rollout, conditions)]
    for _ in range(3):
        iterate(algorithm, conditions, 6)
        scores.append(darkness(algorithm.rollout, conditions))
    assert all(later > earlier for earlier, later in pairwise(scores)), scores
    assert scores[-1] > scores[0] + 0.02, scores
    with algorithm.using(algorithm.ema):
        averaged = darkness(algorithm.rollout, conditions)
    assert scores[0] < averaged < scores[-1] + 0.01


@pytest.mark.parametrize("make", [Algorithm1, Algorithm2])
def test_reference_and_average_move_as_the_algorithm_says(make):
    pipe, tau = tiny_pipe(), 0.8
    algorithm = make(pipe, Darker(), Settings(tau=tau, **QUICK))
    start = values(algorithm.trained)
    expected = start
    for now in iterate(algorithm, tiny_edits(pipe), 4):
        expected = [tau * mean + (1 - tau) * weight for mean, weight in zip(expected, now, strict=True)]
    assert not equal(now, start)
    for average, by_hand in zip(algorithm.ema, expected, strict=True):
        torch.testing.assert_close(average.data, by_hand)
    if make is Algorithm1:
        assert equal(algorithm.reference, start)
    else:
        assert equal(algorithm.reference, algorithm.ema)
        assert not equal(algorithm.reference, start)


def test_only_the_policy_learns():
    pipe = tiny_pipe()
    others = [pipe.vae, pipe.text_encoder, pipe.text_encoder_2]
    before = [values(network.parameters()) for network in others]
    algorithm = Algorithm1(pipe, Darker(), Settings(**QUICK))
    (_, after) = iterate(algorithm, tiny_edits(pipe), 2)
    assert all(equal(network.parameters(), old) for network, old in zip(others, before, strict=True))
    assert not [weight for network in others for weight in network.parameters() if weight.grad is not None]
    assert sum(not torch.equal(a, b) for a, b in zip(after, algorithm.reference, strict=True)) > 30


@pytest.mark.parametrize("make", [Algorithm1, Algorithm2])
def test_in_16_bits_reference_and_policy_are_still_told_apart_and_every_weight_learns(make):
    """Autocast keeps 16-bit copies of weights: none of one set may serve for the other, nor lose the gradient."""
    pipe, judge = tiny_pipe(), Darker()
    conditions = tiny_edits(pipe)
    algorithm = make(pipe, judge, Settings(**QUICK))
    plain = Algorithm1(tiny_pipe(), Darker(), Settings(**QUICK))
    with torch.no_grad():
        for each in (algorithm, plain):
            for weight in each.trained:
                weight += 0.05 * torch.randn(weight.shape, generator=seeded(3))
    torch.manual_seed(9)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = algorithm(conditions)
    loss.backward()
    torch.manual_seed(9)
    plain(conditions)
    for in_16, in_32 in zip(judge.seen[0][:2], plain.rewards.__self__.seen[0][:2], strict=True):
        assert (in_16 - in_32).abs().mean() < 0.01
    assert (judge.seen[0][0] - judge.seen[0][1]).abs().mean() > 0.02
    still = [name for name, weight in pipe.transformer.named_parameters() if weight.grad is None]
    assert not still


def test_other_weights_serve_within_the_block_only():
    pipe = tiny_pipe()
    algorithm = Algorithm1(pipe, Darker(), Settings(**QUICK))
    own = values(algorithm.trained)
    other = [weight + 1 for weight in own]
    with pytest.raises(RuntimeError, match="inside"), algorithm.using(other):
        assert equal(algorithm.trained, other)
        raise RuntimeError("inside")
    assert equal(algorithm.trained, own) and equal(algorithm.reference, own)


# --- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"bound": 0.0}, "bound must be above 0"),
        ({"bound": 1.5}, "at most 1"),
        ({"tau": -0.1}, "tau must be at least 0"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"true_cfg_scale": 0.5}, "true_cfg_scale must be at least 1"),
        ({"t_range": (0.9, 0.6)}, r"t_range is \(0.9, 0.6\)"),
        ({"t_range": (0.6, 0.61)}, "one of the 10 steps between them"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Settings(**wrong)


def test_conditions_are_told_from_what_they_are_made_of():
    pipe = tiny_pipe()
    with pytest.raises(
        TypeError, match=r"Conditions as draw_conditions or rollout\.prepare makes them, got list"
    ):
        Algorithm1(pipe, Darker(), Settings(**QUICK))([tiny_edits(pipe)])


def test_a_policy_that_cannot_learn_is_refused():
    pipe = tiny_pipe()
    pipe.transformer.to(torch.bfloat16)
    with pytest.raises(ValueError, match=r"are torch\.bfloat16, where small steps get lost"):
        Algorithm1(pipe, Darker())
    pipe.transformer.requires_grad_(False)
    with pytest.raises(ValueError, match="No weight of the transformer is to be trained"):
        Algorithm1(pipe, Darker())


# --- the full-size layout, with LoRA ---------------------------------------------------------------


@pytest.mark.parametrize("make", [Algorithm1, Algorithm2])
def test_a_lora_learns_in_16_bits_and_opens_as_any_other(tiny_folder, tmp_path, make):
    """Two steps on the layout of FLUX.1-Fill-dev, loaded in bf16 as the full-size model is."""
    pipe = quiet(FluxFillCFGPipeline.from_pretrained(tiny_folder, dtype=torch.bfloat16))
    torch.manual_seed(0)
    frozen = {name: value.clone() for name, value in pipe.transformer.state_dict().items()}
    add_lora(pipe, rank=2)
    algorithm = make(pipe, Darker(), Settings(tau=0.0, **QUICK))
    assert {weight.dtype for weight in algorithm.trained} == {torch.float32}
    kept = sum(weight.numel() for weight in algorithm.parameters()) - sum(v.numel() for v in frozen.values())
    assert kept <= 3 * sum(weight.numel() for weight in algorithm.trained)  # no second transformer
    conditions = tiny_edits(pipe)
    start = values(algorithm.trained)
    iterate(algorithm, conditions, 2, rate=0.05)
    assert not equal(algorithm.trained, start)
    state = pipe.transformer.state_dict()
    for name, value in frozen.items():
        after = state.get(
            name,
            state.get(name.replace(".weight", ".base_layer.weight").replace(".bias", ".base_layer.bias")),
        )
        assert torch.equal(after, value), name

    save_lora(pipe, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["pytorch_lora_weights.safetensors"]
    fresh = quiet(FluxFillCFGPipeline.from_pretrained(tiny_folder))
    pipe.to(torch.float32)
    noise = torch.randn(3, 6, 64, generator=seeded(2))
    conditions = tiny_edits(fresh)
    results = [Rollout(fresh, STEPS).denoise(noise, conditions)]
    fresh.load_lora_weights(tmp_path)
    results.append(Rollout(fresh, STEPS).denoise(noise, conditions))
    ours = Rollout(pipe, STEPS).denoise(noise, conditions)
    assert (results[0] - results[1]).abs().max() > 1e-3
    assert (ours - results[1]).abs().max() < 0.1 * (results[0] - results[1]).abs().max()
