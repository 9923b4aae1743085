"""Training: the model sees what the pipeline will show it, its loss is right, and runs survive anything."""

import pickle
import shutil
from argparse import Namespace
from functools import cache, partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import FluxFillPipeline
from PIL import Image
from safetensors.torch import load_file

from onereward_nb.files import write, write_folder, write_json
from onereward_nb.grids import grid
from onereward_nb.postcards import make_scene
from onereward_nb.postcards.architecture import make_text_encoders, make_transformer, make_vae
from onereward_nb.postcards.describing import lesson
from onereward_nb.postcards.rendering import silhouette
from onereward_nb.postcards.text import make_tokenizer
from onereward_nb.postcards.train import data, distilled, fill, onereward, reader, run
from onereward_nb.tasks import TASKS


@cache
def edits(count=200):
    """What the base model is trained on, of some scenes: [(pictures, edits), ...]."""
    return [data.scene_edits(seed) for seed in range(count)]


# --- data ------------------------------------------------------------------------------------------


def test_base_training_never_sees_the_fixed_prompts():
    prompts = {prompt for _, scene in edits() for _, _, prompt in scene}
    fixed = [task.prompt for task in TASKS.values() if task.prompt]
    words = set(" ".join(fixed).replace("-", " ").replace(",", " ").split())
    assert words == {"remove", "high", "definition", "perfect", "composition"}
    assert not [
        prompt for prompt in prompts if words & set(prompt.replace("-", " ").replace(",", " ").split())
    ]
    assert len(prompts) > 400 and "" in prompts


def test_masks_of_training_cover_a_thing_that_their_prompt_names():
    checked = 0
    for seed in range(60):
        rng = np.random.default_rng([seed, 5])
        scene = make_scene(seed, ("sign",) if rng.random() < 0.5 else ())
        for _, bits, prompt in edits()[seed][1]:
            mask = np.unpackbits(bits).reshape(data.SIZE, data.SIZE) > 0
            assert mask.any() and not mask.all()
            named = [thing for thing in scene.things if thing.phrase == prompt]
            if named and thing_count(scene, prompt) == 1:
                covered = np.asarray(silhouette(named[0])) > 0
                assert mask[covered].all()
                checked += 1
    assert checked > 50


def thing_count(scene, phrase):
    return sum(thing.phrase == phrase for thing in scene.things)


def test_spoiled_pictures_are_spoiled_inside_their_mask_only_and_say_so():
    spoiled = visibly = 0
    for pictures, scene in edits():
        for shown, bits, prompt in scene:
            mask = np.unpackbits(bits).reshape(data.SIZE, data.SIZE) > 0
            changed = (pictures[shown] != pictures[0]).any(axis=2)
            assert not changed[~mask].any()
            assert shown or not changed.any()
            visibly += changed.any()
            if prompt:
                assert bool(shown) == prompt.endswith(("blurry", "low quality"))
            spoiled += bool(shown)
    assert 0.02 < spoiled / (len(edits()) * data.MASKS_PER_SCENE) < 0.07
    assert visibly > 0.8 * spoiled  # blurring a plain sky changes no pixel


def test_what_the_scripts_draw_by_can_be_sent_to_another_process():
    for draw in (lesson, reader.labelled, data.picture_for_vae, data.scene_edits, data.task_edit):
        assert pickle.loads(pickle.dumps(draw)) is draw


@pytest.mark.parametrize(("chunk", "scenes_each"), [(2, 3), (8, 100)])
def test_arrays_drawn_in_parallel_are_those_of_each_scene_in_order(chunk, scenes_each, monkeypatch):
    monkeypatch.setattr(data, "CHUNK", chunk)  # of 8 scenes: by several processes, and by this one
    parts = list(data.training_edits(range(8), scenes_each))
    assert len(parts) == -(-8 // scenes_each)
    drawn = [
        (pictures[index], bits, prompt)
        for pictures, shown, masks, prompts in parts
        for index, bits, prompt in zip(shown, masks, prompts, strict=True)
    ]
    each = [(scene[0][index], bits, prompt) for scene in edits()[:8] for index, bits, prompt in scene[1]]
    assert len(drawn) == len(each) == 8 * data.MASKS_PER_SCENE
    for (picture, bits, prompt), (picture_alone, bits_alone, prompt_alone) in zip(drawn, each, strict=True):
        assert np.array_equal(picture, picture_alone)
        assert np.array_equal(bits, bits_alone) and prompt == prompt_alone


@pytest.mark.parametrize("draw", [data.training_edits, data.training_pictures])
def test_held_out_seeds_are_refused(draw):
    with pytest.raises(ValueError, match="seed 1000000 is held out"):
        list(draw(range(999_999, 1_000_001)))


# --- what the model sees ---------------------------------------------------------------------------


def packed_by_hand(latents):
    """FLUX's packing, element by element: token (row, column) holds channel by channel a square of 2x2."""
    count, channels, height, width = latents.shape
    packed = np.zeros((count, height * width // 4, channels * 4), np.float32)
    for n, c, y, x in product(*map(range, latents.shape)):
        packed[n, (y // 2) * (width // 2) + x // 2, 4 * c + 2 * (y % 2) + x % 2] = latents[n, c, y, x]
    return packed


def test_latents_are_packed_as_flux_packs_them(upstream):
    latents = torch.randn(2, 16, 8, 6, generator=torch.manual_seed(0))
    assert np.array_equal(fill.pack(latents), packed_by_hand(latents.numpy()))
    assert torch.equal(fill.pack(latents), upstream._pack_latents(latents, *latents.shape))


def random_masks(count, seed=0):
    masks = (
        np.random.default_rng(seed).random((count, 128, 128)) < np.linspace(0.1, 0.9, count)[:, None, None]
    )
    return masks, np.packbits(masks.reshape(count, -1), axis=1)


def pipelines_inputs(upstream, masks, masked_image, generator=None):
    """Packed masks and packed masked latents as FluxFillPipeline prepares them."""
    return upstream.prepare_mask_latents(
        torch.from_numpy(masks)[:, None].float(),
        masked_image,
        batch_size=len(masks),
        num_channels_latents=16,
        num_images_per_prompt=1,
        height=128,
        width=128,
        dtype=torch.float32,
        device="cpu",
        generator=generator,
    )


def test_masks_are_packed_as_the_pipeline_packs_them(upstream):
    masks, bits = random_masks(3)
    expected, _ = pipelines_inputs(upstream, masks, torch.zeros(3, 16, 16, 16))
    assert torch.equal(fill.pack_masks(torch.from_numpy(bits)), expected)


def test_masked_pictures_are_encoded_as_the_pipeline_encodes_them(upstream):
    masks, bits = random_masks(2, seed=1)
    pictures = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    image = upstream.image_processor.preprocess(pictures.astype(np.float32) / 255)
    visible = image * (1 - torch.from_numpy(masks)[:, None].float())
    _, expected = pipelines_inputs(upstream, masks, visible, torch.manual_seed(3))
    torch.manual_seed(3)
    ours = fill.encode(upstream.vae, pictures, torch.device("cpu"), bits)
    torch.testing.assert_close(ours.float(), expected, atol=2e-3, rtol=2e-3)


def test_whole_pictures_are_encoded_to_the_mean_of_their_latents(upstream):
    pictures = np.random.default_rng(2).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    image = upstream.image_processor.preprocess(pictures.astype(np.float32) / 255)
    with torch.inference_mode():
        mean = upstream.vae.encode(image).latent_dist.mean
    shift, scale = upstream.vae.config.shift_factor, upstream.vae.config.scaling_factor
    ours = fill.encode(upstream.vae, pictures, torch.device("cpu"))
    torch.testing.assert_close(
        ours.float().numpy(), packed_by_hand(((mean - shift) * scale).numpy()), atol=2e-3, rtol=2e-3
    )


# --- the loss --------------------------------------------------------------------------------------


class StubTransformer:
    """Returns the exact velocity of a known picture, plus a known error; keeps what it was shown."""

    def __init__(self, latents, error):
        self.latents, self.error = latents, error

    def __call__(self, hidden_states, timestep, **others):
        self.seen, self.sigma = hidden_states, timestep
        velocity = (hidden_states[..., :64] - self.latents) / timestep[:, None, None]
        return SimpleNamespace(sample=velocity + self.error)


def loss_of_stub(error, count=3):
    """The loss where the transformer is off by a known error; with the batch, the masks and the stub."""
    torch.manual_seed(4)
    masks, bits = random_masks(count, seed=4)
    batch = {
        "latents": torch.randn(count, 64, 64),
        "masked_latents": torch.randn(count, 64, 64),
        "masks": fill.pack_masks(torch.from_numpy(bits)),
        "clip_tokens": torch.zeros(count, 32).long(),
        "t5_tokens": torch.zeros(count, 32).long(),
        "positions": torch.zeros(64, 3),
    }
    stub = StubTransformer(batch["latents"].double(), error)

    def encoder(tokens):
        return SimpleNamespace(last_hidden_state=torch.zeros(1), pooler_output=torch.zeros(1))

    return fill.FillLoss(stub, encoder, encoder)(batch).item(), batch, masks, stub


def test_the_exact_velocity_has_no_loss():
    loss, batch, _, stub = loss_of_stub(error=0)
    assert loss < 1e-7
    assert torch.equal(stub.seen[..., 64:128], batch["masked_latents"])
    assert torch.equal(stub.seen[..., 128:], batch["masks"])
    assert ((stub.sigma > 0) & (stub.sigma < 1)).all() and len(stub.sigma.unique()) == 3


def test_the_loss_is_the_squared_error_mostly_of_the_masked_latents(upstream):
    error = torch.randn(3, 64, 64, generator=torch.manual_seed(5))
    loss, _, masks, _ = loss_of_stub(error)
    squares = upstream._unpack_latents(error, 128, 128, 8).square().mean(dim=1).numpy()  # (3, 16, 16)
    shares = masks.reshape(3, 16, 8, 16, 8).mean(axis=(2, 4))
    expected = np.mean(
        [
            0.9 * np.average(square, weights=share) + 0.1 * np.average(square, weights=1 - share)
            for square, share in zip(squares, shares, strict=True)
        ]
    )
    assert loss == pytest.approx(expected, rel=1e-4)


def test_every_weight_of_the_model_learns():
    """After some steps, which move the layers that start at zero; a weight without use would stop DDP."""
    torch.manual_seed(6)
    model = fill.FillLoss(make_transformer(), *make_text_encoders())
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    _, batch, _, _ = loss_of_stub(0)
    batch |= {name: torch.randint(4, 60, (3, 32)) for name in ("clip_tokens", "t5_tokens")}
    for _ in range(4):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]
    still = [name for name, weight in model.named_parameters() if not weight.grad.any()]
    assert not still


# --- the model that is saved -----------------------------------------------------------------------


def test_the_training_set_keeps_picture_mask_and_prompt_together(vae_folder, monkeypatch):
    def mean_colours(vae, pictures, device, masks=None):
        visible = 1 if masks is None else 1 - np.unpackbits(masks, axis=1).reshape(-1, 128, 128, 1)
        return torch.from_numpy((pictures * visible).mean(axis=(1, 2)))

    monkeypatch.setattr(fill, "encode", mean_colours)
    # in parts, so that the pictures of later ones have to be counted on
    monkeypatch.setattr(fill, "training_edits", partial(data.training_edits, scenes_each=2))
    args = Namespace(vae=vae_folder, first_seed=15, scenes=5)  # with a spoiled picture among them
    drawn = fill.draw_data(args, torch.device("cpu"))
    clip, t5 = (make_tokenizer(with_bos=bos) for bos in (True, False))
    edits = [(pictures, *edit) for pictures, some in map(data.scene_edits, range(15, 20)) for edit in some]
    assert len(drawn["shown"]) == len(edits) and any(shown for _, shown, *_ in edits)
    for place, (pictures, shown, bits, prompt) in enumerate(edits):
        picture = pictures[shown : shown + 1]
        whole, masked = mean_colours(None, picture, None), mean_colours(None, picture, None, bits[None])
        assert torch.equal(drawn["latents"][drawn["shown"][place]], whole[0])
        assert torch.equal(drawn["masked_latents"][place], masked[0])
        assert torch.equal(drawn["masks"][place], torch.from_numpy(bits))
        for name, tokenizer in (("clip_tokens", clip), ("t5_tokens", t5)):
            tokens = drawn[name][place].tolist()
            assert tokens[: len(tokenizer(prompt).input_ids)] == tokenizer(prompt).input_ids

    def rows(batch):
        parts = ("latents", "masked_latents", "masks", "clip_tokens", "t5_tokens")
        return torch.cat([batch[name].flatten(1).double() for name in parts], dim=1)

    everything = {
        **drawn,
        "latents": drawn["latents"][drawn["shown"]].float(),
        "masked_latents": drawn["masked_latents"].float(),
        "masks": fill.pack_masks(drawn["masks"]),
    }
    batch = fill.draw_batch(drawn, 40, positions="here")
    known, batched = ({tuple(row) for row in rows(some).tolist()} for some in (everything, batch))
    assert len(batched) > 10 and batched <= known and batch["positions"] == "here"


def test_a_training_set_is_named_by_all_that_it_is_made_from(vae_folder, tmp_path):
    other = tmp_path / "vae"
    make_vae().save_pretrained(other)
    sets = [(vae_folder, 0, 5), (vae_folder, 1, 5), (vae_folder, 0, 6), (other, 0, 5)]
    keys = [fill.data_key(Namespace(vae=vae, first_seed=seed, scenes=scenes)) for vae, seed, scenes in sets]
    assert len(set(keys)) == 4 and keys[0] == fill.data_key(Namespace(vae=vae_folder, first_seed=0, scenes=5))


def test_the_saved_model_opens_with_diffusers_and_reads_prompts_as_in_training(vae_folder, tmp_path):
    from diffusers import FluxFillPipeline

    torch.manual_seed(8)
    model = fill.FillLoss(make_transformer(), *make_text_encoders())
    fill.save_pipeline(model, vae_folder, tmp_path)
    size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert size < 25e6
    pipe = FluxFillPipeline.from_pretrained(tmp_path)
    assert pipe.vae.config.scaling_factor == 0.5 and pipe.vae.config.shift_factor == 0.1

    prompts = ['a red sign "HI"', "remove"]
    model.float()
    t5 = model.t5(fill.tokenize(prompts, with_bos=False).long()).last_hidden_state
    clip = model.clip(fill.tokenize(prompts, with_bos=True).long()).pooler_output
    embeddings, pooled, _ = pipe.encode_prompt(prompts, None, max_sequence_length=32)
    torch.testing.assert_close(embeddings, t5, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(pooled, clip, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(pooled[0], pooled[1], atol=1e-2)

    again = fill.FillLoss(*fill.trained_networks(tmp_path))
    for (name, trained), (same_name, opened) in zip(
        model.named_parameters(), again.named_parameters(), strict=True
    ):
        assert name == same_name and opened.dtype == torch.float32
        assert torch.equal(trained.to(torch.bfloat16), opened.to(torch.bfloat16)), name


def test_a_model_that_can_not_be_saved_leaves_the_old_one(vae_folder, tmp_path, monkeypatch):
    model = fill.FillLoss(make_transformer(), *make_text_encoders())
    fill.save_pipeline(model, vae_folder, tmp_path)
    before = contents(tmp_path)

    def fail(folder, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(model.transformer, "save_pretrained", fail)
    for weight in model.t5.parameters():
        torch.nn.init.zeros_(weight)
    with pytest.raises(OSError, match="no space left"):
        fill.save_pipeline(model, vae_folder, tmp_path)
    assert contents(tmp_path) == before


def contents(folder):
    """What is in a folder and the folders in it: {path: bytes}."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "load",
    [
        lambda folder: fill.draw_data(Namespace(vae=folder / "vae", first_seed=0, scenes=1), "cpu"),
        lambda folder: fill.as_pipeline(FluxFillPipeline, None, folder / "vae"),
        lambda folder: reader.through_vae(folder / "vae", torch.zeros(1, 128, 128, 3, dtype=torch.uint8)),
        fill.trained_networks,
        lambda folder: onereward.load(folder, "cpu"),
    ],
)
def test_weights_that_are_no_safetensors_are_refused(pickled, load):
    with pytest.raises(OSError, match="safetensors"):
        load(pickled)


@pytest.fixture(scope="module")
def pickled(tiny_folder, tmp_path_factory):
    """A model whose weights are pickled, which may run code when they are opened."""
    folder = tmp_path_factory.mktemp("pickled") / "model"
    shutil.copytree(tiny_folder, folder)
    for path in folder.rglob("*.safetensors"):
        name = (
            "pytorch_model" if path.stem == "model" else path.stem
        )  # as transformers and diffusers look for
        torch.save(load_file(path), path.with_name(f"{name}.bin"))
        path.unlink()
    return folder


# --- distillation ----------------------------------------------------------------------------------


@pytest.fixture
def distillation():
    """A random teacher, its student, and a batch."""
    torch.manual_seed(11)
    teacher = fill.FillLoss(make_transformer(), *make_text_encoders())
    for parameter in teacher.transformer.parameters():  # which starts with zeros in many places
        torch.nn.init.normal_(parameter, std=0.05)
    _, bits = random_masks(3, seed=11)
    prompts = ["a red ball", 'the words "HI"', ""]
    batch = {
        "latents": torch.randn(3, 64, 64),
        "masked_latents": torch.randn(3, 64, 64),
        "masks": fill.pack_masks(torch.from_numpy(bits)),
        "clip_tokens": fill.tokenize(prompts, with_bos=True).long(),
        "t5_tokens": fill.tokenize(prompts, with_bos=False).long(),
        "positions": FluxFillPipeline._prepare_latent_image_ids(1, 8, 8, "cpu", torch.float32),
    }
    return teacher, distilled.make_student(teacher.transformer), batch


def test_a_student_starts_as_its_teacher_whatever_the_scale(distillation):
    teacher, student, batch = distillation
    noisy, sigma, _ = fill.add_noise(batch["latents"])
    texts = teacher.read(batch)
    taught = fill.predict(teacher.transformer, noisy, sigma, batch, *texts)
    for scale in (1.0, 4.0, 8.0):
        told = fill.predict(student, noisy, sigma, batch, *texts, torch.full((3,), scale))
        torch.testing.assert_close(told, taught, atol=1e-5, rtol=1e-4)


def test_the_target_is_the_teachers_true_cfg(distillation):
    teacher, _, batch = distillation
    noisy, sigma, _ = fill.add_noise(batch["latents"])
    scale = torch.tensor([1.0, 3.0, 8.0])
    target, _ = distilled.guided_velocity(
        teacher, distilled.empty_prompt(teacher), noisy, sigma, batch, scale
    )
    empty = batch | {
        name: ids[2:].expand(3, -1) for name, ids in batch.items() if name in ("clip_tokens", "t5_tokens")
    }
    with torch.no_grad():
        v_pos, v_neg = (
            fill.predict(teacher.transformer, noisy, sigma, batch, *teacher.read(prompts))
            for prompts in (batch, empty)
        )
    expected = torch.stack([(1 - s) * n + s * p for s, p, n in zip(scale, v_pos, v_neg, strict=True)])
    torch.testing.assert_close(target, expected, atol=1e-5, rtol=1e-4)
    assert (target[1] - v_pos[1]).abs().max() > 1e-4


def test_the_student_learns_and_the_teacher_does_not(distillation):
    teacher, student, batch = distillation
    before = [parameter.clone() for parameter in teacher.parameters()]
    model = distilled.DistillationLoss(student, teacher)
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"student"}
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        torch.manual_seed(12)
        loss = model(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(torch.equal(old, new) for old, new in zip(before, teacher.parameters(), strict=True))


# --- runs ------------------------------------------------------------------------------------------


def start(out, seed=0, **settings):
    """A run over a toy model, in a stretch too long for its clock to matter."""
    args = Namespace(out=out, minutes=1e6, lr=0.05, batch=4, seed=seed, device="cpu")
    this = run.Run(args, **{"warmup": 4, **settings})
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    this.prepare(model, torch.optim.AdamW(model.parameters()))
    return this


def train(this, steps):
    for _ in range(steps):
        this.optimize(this.model(torch.randn(4, 3)).square().mean())
    return this


def weights(this):
    return [parameter.detach().clone() for parameter in this.bare_model.parameters()]


def test_a_run_must_be_told_where_to_write(capsys):
    with pytest.raises(SystemExit):
        run.arguments("Train.").parse_args(["--minutes", "1"])
    assert "required: --out" in capsys.readouterr().err


def test_a_resumed_run_equals_one_that_was_never_interrupted(tmp_path):
    whole = train(start(tmp_path / "whole"), 7)
    train(start(tmp_path / "parts"), 3).save()
    resumed = start(tmp_path / "parts", seed=5)  # other first weights: the checkpoint's count
    assert resumed.step == 3
    train(resumed, 4)
    assert resumed.step == 7
    for ours, expected in ((weights(resumed), weights(whole)), (resumed.average, whole.average)):
        assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
    later = train(start(tmp_path / "whole"), 1)  # without a checkpoint there, from the start
    assert later.step == 1


def test_minutes_go_on_from_those_before(tmp_path):
    first = start(tmp_path)
    first.started -= 120  # two minutes ago
    train(first, 1).save()
    resumed = train(start(tmp_path), 1)
    resumed.report()
    assert resumed.log[-1]["minutes"] == pytest.approx(2, abs=0.5)


def test_weights_decay_but_neither_vectors_nor_embeddings():
    model = torch.nn.ModuleDict(
        {
            "linear": torch.nn.Linear(3, 2),
            "norm": torch.nn.LayerNorm(3),
            "embed": torch.nn.Embedding(4, 3),
            "shared": torch.nn.Embedding(4, 3),  # as T5 calls it
        }
    )
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = run.adamw(model, lr=1.0)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    decayed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert decayed == {"linear.weight"}
    torch.testing.assert_close(model["linear"].weight.detach(), 0.99 * before["linear.weight"])


def test_the_average_follows_the_weights_and_ends_up_in_the_model(tmp_path):
    this = start(tmp_path)
    expected = weights(this)
    for step in range(1, 6):
        train(this, 1)
        share = step / (step + 10)
        expected = [
            share * mean + (1 - share) * now for mean, now in zip(expected, weights(this), strict=True)
        ]
    finished = list(this.finish().parameters())
    for mean, parameter in zip(expected, finished, strict=True):
        torch.testing.assert_close(parameter.detach(), mean)


def test_the_learning_rate_warms_up_stays_and_falls_to_zero(tmp_path):
    this = start(tmp_path)
    rates = []
    for share in (0, 0, 0, 0, 0.3, 0.66, 0.75, 0.9, 1.0):
        this.share = share
        train(this, 1)
        rates.append(this.optimizer.param_groups[0]["lr"] / 0.05)
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.3, 0], abs=2e-3)


def test_a_stretch_ends_when_its_minutes_are_over(tmp_path):
    this = start(tmp_path)
    this.args.minutes = 0.005
    while this.share < 1:
        train(this, 1)
    assert 0.3 <= this.elapsed < 3


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_a_bad_loss_stops_with_words_and_never_reaches_the_checkpoint(tmp_path, bad):
    this = train(start(tmp_path, checkpoint_every=0), 3)  # a checkpoint after every step
    with pytest.raises(
        FloatingPointError, match=f"loss is {bad} at step 4: resume from .* with a smaller --lr"
    ):
        this.optimize(this.model(torch.randn(4, 3)).sum() * float(bad))
    resumed = start(tmp_path)
    assert resumed.step == 3 and all(weight.isfinite().all() for weight in weights(resumed))


def test_weights_that_are_not_finite_never_reach_the_checkpoint(tmp_path):
    this = train(start(tmp_path, checkpoint_every=0), 3)
    with pytest.raises(FloatingPointError, match="weights are not finite at step 4"):
        this.optimize(
            (this.model(torch.zeros(4, 3)) * 0).abs().sqrt().sum()
        )  # loss 0, its slope not a number
    assert start(tmp_path).step == 3


def test_a_failed_write_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "folder" / "figures.json"
    write_json(path, {"rate": 0.5})

    def fail(temporary):
        Path(temporary).write_text('{"rate": 0.')
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        write(path, fail)
    assert path.read_text() == '{\n "rate": 0.5\n}\n'
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_failed_write_of_a_folder_leaves_its_files_whole(tmp_path):
    folder = tmp_path / "out" / "model"

    def save(temporary, words):
        (temporary / "part").mkdir()
        (temporary / "part" / "weights").write_text(words)

    def fail(temporary):
        save(temporary, "ha")
        raise OSError("no space left on device")

    write_folder(folder, partial(save, words="old"))
    with pytest.raises(OSError, match="no space left"):
        write_folder(folder, fail)
    assert contents(tmp_path) == {Path("out/model/part/weights"): b"old"}
    (folder / "beside").write_text("other")
    write_folder(folder, partial(save, words="new"))
    assert contents(folder) == {Path("part/weights"): b"new", Path("beside"): b"other"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_picture_of_what_the_model_can_do_is_kept_beside_each_checkpoint(tmp_path):
    this = start(tmp_path)
    this.sample = lambda: grid(Image.new("RGB", (16, 16), (this.step, 0, 0)))
    for _ in range(2):
        train(this, 3).save()
    shown = {path.name: Image.open(path).convert("RGB") for path in tmp_path.glob("sample-*.png")}
    assert sorted(shown) == ["sample-000003.png", "sample-000006.png"]
    assert shown["sample-000006.png"].getpixel((8, 8)) == (6, 0, 0)


def test_a_failed_checkpoint_leaves_the_last_one(tmp_path, monkeypatch):
    this = train(start(tmp_path), 2)
    this.save()

    def fail(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(run, "save_file", fail)
    with pytest.raises(OSError, match="no space left"):
        train(this, 1).save()
    assert start(tmp_path).step == 2
