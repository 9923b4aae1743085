"""The pipeline against diffusers' own, against a loop written by hand, and against bad input."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import quiet, random_mask, random_picture

from onereward_nb import FluxFillCFGPipeline, checks
from onereward_nb.stand_in import TINY_PROMPT, components

STEPS = 4


def seeded(seed=0):
    return torch.Generator("cpu").manual_seed(seed)


def edit(pipe, image=None, mask=None, prompt="a ball", **arguments):
    """One edit of a random picture; an array (batch, height, width, 3)."""
    defaults = {"generator": seeded(), "num_inference_steps": STEPS, "output_type": "np"}
    return pipe(
        prompt, image=image or random_picture(), mask_image=mask or random_mask(), **{**defaults, **arguments}
    ).images


def both(upstream, pipe, **arguments):
    """The same edit by diffusers' pipeline and by ours, without pasting."""
    seed = arguments.pop("seed", 0)
    image, mask = arguments.pop("image", random_picture()), arguments.pop("mask_image", random_mask())
    width, height = (image[0] if isinstance(image, list) else image).size
    arguments = {"prompt": "a ball", "num_inference_steps": STEPS, "output_type": "np", **arguments}
    size = {"height": arguments.pop("height", height), "width": arguments.pop("width", width)}
    theirs = upstream(
        image=image,
        mask_image=mask,
        max_sequence_length=TINY_PROMPT,
        generator=seeded(seed),
        **size,
        **arguments,
    ).images
    size = {} if size == {"height": height, "width": width} else size
    ours = pipe(image=image, mask_image=mask, paste=None, generator=seeded(seed), **size, **arguments).images
    return theirs, ours


# --- the same as diffusers' pipeline where it can do the same ------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("strength", [1.0, 0.75, 0.3])
def test_equals_diffusers_bit_for_bit(upstream, pipe, strength, seed):
    image, mask = random_picture(64, 48, seed), random_mask(64, 48, seed)
    theirs, ours = both(upstream, pipe, image=image, mask_image=mask, strength=strength, seed=seed)
    assert theirs.std() > 0.05
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "arguments",
    [
        {"output_type": "latent"},
        {"guidance_scale": 3.0},
        {"prompt": ["a ball", "a house"]},
        {"num_images_per_prompt": 3},
        {"sigmas": [0.9, 0.5, 0.2]},
        {"prompt_2": "a tree"},
        {"height": 64, "width": 48},
        {
            "prompt": ["a ball", "a house"],
            "image": [random_picture(seed=s) for s in (1, 2)],
            "mask_image": [random_mask(seed=s) for s in (1, 2)],
        },
    ],
    ids=lambda arguments: "+".join(arguments),
)
def test_equals_diffusers_with(upstream, pipe, arguments):
    theirs, ours = both(upstream, pipe, **arguments)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_diffusers_with_guidance_embedding(dtype):
    from diffusers import FluxFillPipeline

    parts = {
        name: part.to(dtype).eval() if isinstance(part, torch.nn.Module) else part
        for name, part in components().items()
    }
    upstream, pipe = quiet(FluxFillPipeline(**parts)), quiet(FluxFillCFGPipeline(**parts))
    theirs, ours = both(upstream, pipe, guidance_scale=7.0)
    np.testing.assert_array_equal(ours, theirs)
    assert np.abs(edit(pipe, guidance_scale=30.0, paste=None) - ours).max() > 0


# --- true classifier-free guidance ---------------------------------------------------------------


@torch.no_grad()
def edit_by_hand(pipe, image, mask, prompt, negative_prompt, scale, steps, seed):
    """True CFG written out around the bare models. Shares no code with the pipeline."""
    vae, config = pipe.vae, pipe.vae.config
    pixels = torch.tensor(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None] * 2 - 1
    hole = torch.tensor((np.asarray(mask) > 127).astype(np.float32))[None, None]
    height, width = hole.shape[2:]
    rows, columns = height // 16, width // 16

    generator = seeded(seed)
    vae.encode(pixels).latent_dist.sample(generator)  # diffusers draws this first, so seeds expect it
    noise = torch.randn((1, 16, height // 8, width // 8), generator=generator)
    known = vae.encode(pixels * (1 - hole)).latent_dist.sample(generator)
    known = (known - config.shift_factor) * config.scaling_factor

    def pack(x):
        cells = x.reshape(1, x.shape[1], rows, 2, columns, 2)
        return torch.einsum("bchiwj->bhwcij", cells).reshape(1, rows * columns, -1)

    hole = (
        hole.reshape(1, height // 8, 8, width // 8, 8).permute(0, 2, 4, 1, 3).reshape(1, 64, height // 8, -1)
    )
    context = torch.cat((pack(known), pack(hole)), dim=2)

    positions = torch.zeros(rows * columns, 3)
    positions[:, 1] = torch.arange(rows).repeat_interleave(columns)
    positions[:, 2] = torch.arange(columns).repeat(rows)

    def text(words):
        ids = {
            tokenizer: tokenizer(
                words, padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt"
            ).input_ids
            for tokenizer in (pipe.tokenizer, pipe.tokenizer_2)
        }
        return pipe.text_encoder(ids[pipe.tokenizer]).pooler_output, pipe.text_encoder_2(
            ids[pipe.tokenizer_2]
        )[0]

    def velocity(x, sigma, words):
        pooled, tokens = text(words)
        return pipe.transformer(
            hidden_states=torch.cat((x, context), dim=2),
            timestep=torch.full((1,), sigma, dtype=torch.float32),
            guidance=torch.ones(1) if pipe.transformer.config.guidance_embeds else None,
            pooled_projections=pooled,
            encoder_hidden_states=tokens,
            txt_ids=torch.zeros(tokens.shape[1], 3),
            img_ids=positions,
        ).sample

    mu = 0.5 + (1.15 - 0.5) * (rows * columns - 256) / (4096 - 256)
    linear = np.linspace(1, 1 / steps, steps)
    sigmas = [*(np.exp(mu) / (np.exp(mu) + 1 / linear - 1)), 0.0]
    x = pack(noise)
    for sigma, after in pairwise(sigmas):
        v_neg, v_pos = velocity(x, sigma, negative_prompt), velocity(x, sigma, prompt)
        x = x + (after - sigma) * (v_neg + scale * (v_pos - v_neg))
    x = torch.einsum("bhwcij->bchiwj", x.reshape(1, rows, columns, 16, 2, 2)).reshape(noise.shape)
    decoded = vae.decode(x / config.scaling_factor + config.shift_factor).sample
    return ((decoded + 1) / 2).clamp(0, 1)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("scale", [4.0, 1.5])
def test_equals_true_cfg_by_hand(pipe, scale, seed):
    image, mask = random_picture(48, 64, seed), random_mask(48, 64, seed)
    expected = edit_by_hand(pipe, image, mask, "a ball", "nsfw", scale, STEPS, seed)
    arguments = {"negative_prompt": "nsfw", "generator": seeded(seed), "paste": None}
    ours = edit(pipe, image, mask, true_cfg_scale=scale, **arguments)[0]
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    without = edit(pipe, image, mask, **{**arguments, "generator": seeded(seed)})[0]
    assert np.abs(ours - without).max() > 1e-3


@pytest.mark.parametrize("batch", [1, 2])
def test_batched_branches_equal_one_after_the_other(pipe, batch):
    arguments = {"prompt": ["a ball", "a tree"][:batch], "negative_prompt": "nsfw", "true_cfg_scale": 4.0}
    together, in_turn = (edit(pipe, batched_cfg=batched, **arguments) for batched in (True, False))
    assert len(together) == batch
    np.testing.assert_allclose(together, in_turn, atol=1e-5)


def test_no_negative_prompt_is_the_empty_one(pipe):
    np.testing.assert_array_equal(
        edit(pipe, true_cfg_scale=4.0), edit(pipe, true_cfg_scale=4.0, negative_prompt="")
    )
    assert (
        np.abs(edit(pipe, true_cfg_scale=4.0) - edit(pipe, true_cfg_scale=4.0, negative_prompt="x")).max() > 0
    )


def test_onerewards_spelling(pipe):
    np.testing.assert_array_equal(edit(pipe, true_cfg=3.0), edit(pipe, true_cfg_scale=3.0))
    with pytest.raises(ValueError, match=r"true_cfg_scale=3.0 and true_cfg=4.0 are two names"):
        edit(pipe, true_cfg_scale=3.0, true_cfg=4.0)


def test_presets_do_not_mix_by_default(pipe):
    """guidance_scale, left out, is 30 without true CFG and 1 with it."""
    for scale, expected in ((1.0, 30.0), (4.0, 1.0)):
        edit(pipe, true_cfg_scale=scale)
        assert pipe.guidance_scale == expected


def test_negative_embeddings(pipe):
    def encoded(words, name=""):
        embeds, pooled, _ = pipe.encode_prompt(words, max_sequence_length=TINY_PROMPT)
        return {f"{name}prompt_embeds": embeds, f"{name}pooled_prompt_embeds": pooled}

    with torch.no_grad():
        embeddings = {**encoded("a ball"), **encoded("nsfw", "negative_")}
    by_text = edit(pipe, negative_prompt="nsfw", true_cfg_scale=4.0)
    np.testing.assert_allclose(edit(pipe, prompt=None, true_cfg_scale=4.0, **embeddings), by_text, atol=1e-5)
    embeddings = {name: tensor for name, tensor in embeddings.items() if name.startswith("negative_")}
    np.testing.assert_allclose(edit(pipe, true_cfg_scale=4.0, **embeddings), by_text, atol=1e-5)


@pytest.mark.parametrize("batched", [True, False])
def test_branches_have_their_own_cache(pipe, tiny_folder, batched):
    """diffusers' first-block cache, at a threshold where it never reuses anything, changes nothing."""
    from diffusers import FirstBlockCacheConfig

    cached = quiet(FluxFillCFGPipeline.from_pretrained(tiny_folder))
    cached.transformer.enable_cache(FirstBlockCacheConfig(threshold=-1.0))
    arguments = {"true_cfg_scale": 4.0, "negative_prompt": "nsfw", "batched_cfg": batched}
    np.testing.assert_allclose(edit(cached, **arguments), edit(pipe, **arguments), atol=1e-6)


# --- batches -------------------------------------------------------------------------------------


def test_seeds_reproduce(pipe):
    first, again, other = (edit(pipe, generator=seeded(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_each_generator_gives_what_a_call_of_its_own_gives(pipe, strength):
    arguments = {"true_cfg_scale": 4.0, "strength": strength}
    batch = edit(pipe, num_images_per_prompt=3, generator=[seeded(s) for s in (3, 4, 5)], **arguments)
    for seed, picture in zip((3, 4, 5), batch, strict=True):
        np.testing.assert_allclose(picture, edit(pipe, generator=seeded(seed), **arguments)[0], atol=1e-5)


def test_pictures_of_one_prompt_lie_side_by_side(pipe):
    """Two prompts, pictures, masks and negative prompts, two results each: each belongs to its input."""
    images = [random_picture(seed=s) for s in (1, 2)]
    masks = [random_mask(seed=s) for s in (1, 2)]
    prompts, negatives = ["a ball", "a house"], ["nsfw", "blurry"]
    batch = edit(
        pipe,
        images,
        masks,
        prompts,
        negative_prompt=negatives,
        true_cfg_scale=4.0,
        strength=0.6,
        num_images_per_prompt=2,
        generator=[seeded(s) for s in range(4)],
    )
    for i in range(4):
        alone = edit(
            pipe,
            images[i // 2],
            masks[i // 2],
            prompts[i // 2],
            negative_prompt=negatives[i // 2],
            true_cfg_scale=4.0,
            strength=0.6,
            generator=seeded(i),
        )
        np.testing.assert_allclose(batch[i], alone[0], atol=1e-5)


def test_one_negative_prompt_serves_all_prompts(pipe):
    prompts = ["a ball", "a house"]
    one, two = (edit(pipe, prompt=prompts, negative_prompt=n, true_cfg_scale=4.0) for n in ("x", ["x", "x"]))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_one_prompt_serves_all_pictures(pipe):
    images = [random_picture(seed=s) for s in (1, 2)]
    one, two = (edit(pipe, images, random_mask(), prompt) for prompt in ("a ball", ["a ball", "a ball"]))
    np.testing.assert_allclose(one, two, atol=1e-5)


# --- size and pasting ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(48, 32), (50, 33), (17, 31), (16, 16)])
def test_output_has_the_input_size_and_its_pixels_outside_the_mask(pipe, size):
    image, mask = random_picture(*size), random_mask(*size)
    result = edit(pipe, image, mask, output_type="pil")[0]
    assert result.size == size
    painted = np.asarray(mask) > 0
    before, after = np.asarray(image), np.asarray(result)
    np.testing.assert_array_equal(after[~painted], before[~painted])
    assert (after[painted] != before[painted]).mean() > 0.5
    raw = np.asarray(edit(pipe, image, mask, output_type="pil", paste=None)[0])
    np.testing.assert_array_equal(after[painted], raw[painted])
    assert (raw[~painted] != before[~painted]).any()


@pytest.mark.parametrize("output_type", ["np", "pt"])
def test_float_outputs_keep_float_inputs(pipe, output_type):
    image, mask = torch.rand(3, 32, 48), torch.zeros(32, 48)
    mask[8:20, 8:20] = 1
    result = pipe(
        "a ball", image=image, mask_image=mask, num_inference_steps=1, output_type=output_type
    ).images[0]
    result = torch.from_numpy(result).permute(2, 0, 1) if output_type == "np" else result
    assert torch.equal(result[:, mask == 0], image[:, mask == 0])
    assert not torch.equal(result[:, mask == 1], image[:, mask == 1])


def test_feathered_border(pipe):
    image, mask = random_picture(96, 96), Image.new("L", (96, 96))
    mask.paste(255, (30, 30, 60, 60))
    raw, exact, soft = (edit(pipe, image, mask, paste=paste)[0] for paste in (None, "exact", "feather"))
    before = np.asarray(image, np.float32) / 255
    border = np.zeros((96, 96), bool)
    border[27:63, 27:63] = True  # 96 / 32 = 3 pixels
    np.testing.assert_array_equal(soft[~border], before[~border])
    np.testing.assert_array_equal(soft[30:60, 30:60], exact[30:60, 30:60])
    ring = soft[45, 60:62]
    assert (np.abs(ring - before[45, 60:62]) > 0).all()
    assert (np.abs(ring - raw[45, 60:62]) > 0).all()


def test_given_size_resizes_input_and_output(pipe):
    image = random_picture(64, 64).resize((128, 128), Image.BICUBIC)
    mask = Image.new("L", (128, 128))
    mask.paste(255, (32, 32, 96, 96))
    result = edit(pipe, image, mask, height=64, width=64, output_type="pil")[0]
    assert result.size == (64, 64)
    small = np.asarray(image.resize((64, 64), Image.LANCZOS))
    kept = np.asarray(mask.resize((64, 64), Image.LANCZOS)) < 128
    np.testing.assert_array_equal(np.asarray(result)[kept], small[kept])
    with pytest.raises(ValueError, match="both height and width"):
        edit(pipe, height=64)


def test_padding_hides_what_is_masked(pipe):
    """A mask that touches the border: what it covers must not show up in the padding."""
    image, mask = random_picture(40, 40), Image.new("L", (40, 40))
    mask.paste(255, (20, 0, 40, 40))
    other = image.copy()
    other.paste((0, 0, 0), (20, 0, 40, 40))
    np.testing.assert_array_equal(edit(pipe, image, mask), edit(pipe, other, mask))


# --- callbacks -----------------------------------------------------------------------------------


def test_callback_sees_every_step_and_the_predicted_clean_latents(pipe):
    seen = []

    def watch(pipe, step, timestep, tensors):
        seen.append((step, float(timestep), tensors))

    names = ["latents", "pred_original_latents", "prompt_embeds"]
    arguments = {"true_cfg_scale": 4.0, "output_type": "latent"}
    end = edit(pipe, callback_on_step_end=watch, callback_on_step_end_tensor_inputs=names, **arguments)
    assert [step for step, _, _ in seen] == list(range(STEPS))
    assert all(list(tensors) == names for _, _, tensors in seen)
    torch.testing.assert_close(seen[-1][2]["pred_original_latents"], end)
    # one step along the velocity leads from x to x0 + (sigma_next / sigma) (x - x0)
    sigmas = [timestep / 1000 for _, timestep, _ in seen]
    before = seen[0][2]["latents"]
    for (_, _, tensors), sigma, after in zip(seen[1:-1], sigmas[1:-1], sigmas[2:], strict=True):
        clean = tensors["pred_original_latents"]
        torch.testing.assert_close(tensors["latents"], clean + after / sigma * (before - clean))
        before = tensors["latents"]
    with torch.no_grad():
        picture = pipe.decode(end, 32, 48)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(picture, edit(pipe, true_cfg_scale=4.0, paste=None)[0], atol=1e-6)


def test_callback_can_change_latents_and_prompt_and_stop(pipe):
    def change(pipe, step, timestep, tensors):
        return {name: tensor * 0 for name, tensor in tensors.items()} if step == STEPS - 1 else {}

    arguments = {"output_type": "latent", "callback_on_step_end": change}
    assert edit(pipe, **arguments).abs().max() == 0
    changed = edit(
        pipe,
        output_type="latent",
        callback_on_step_end=lambda *a: {"prompt_embeds": a[-1]["prompt_embeds"] + 1},
        callback_on_step_end_tensor_inputs=["prompt_embeds"],
    )
    assert (changed - edit(pipe, output_type="latent")).abs().max() > 1e-4

    steps = []

    def stop(pipe, step, timestep, tensors):
        steps.append(step)
        pipe._interrupt = step == 1

    edit(pipe, callback_on_step_end=stop)
    assert steps == [0, 1]


# --- odds and ends -------------------------------------------------------------------------------


def test_latents_and_plain_tuple(pipe):
    latents = torch.randn(1, 6, 64, generator=seeded(9))
    first, again = (edit(pipe, latents=latents, generator=seeded(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - edit(pipe, latents=-latents, generator=seeded(1))).max() > 0.01
    result = pipe(
        "a", image=random_picture(), mask_image=random_mask(), num_inference_steps=1, return_dict=False
    )
    assert isinstance(result, tuple) and isinstance(result[0][0], Image.Image)


def test_works_after_an_error_in_the_middle(pipe, monkeypatch):
    before = edit(pipe, true_cfg_scale=4.0)
    freed = []
    monkeypatch.setattr(pipe, "maybe_free_model_hooks", lambda: freed.append(True))

    def fail(*_):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        edit(pipe, true_cfg_scale=4.0, callback_on_step_end=fail)
    assert freed == [True]
    np.testing.assert_array_equal(edit(pipe, true_cfg_scale=4.0), before)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"prompt": None}, ValueError, "prompt is missing"),
        ({"prompt": 3}, TypeError, "string or a list of strings, got 3"),
        ({"prompt": []}, TypeError, r"got \[\]"),
        ({"prompt": ["a", "b"], "prompt_2": "c"}, ValueError, "go in pairs"),
        ({"num_inference_steps": -3}, ValueError, "num_inference_steps must be at least 1, got -3"),
        ({"num_inference_steps": 2.5}, TypeError, "whole number, got 2.5"),
        ({"strength": 1.2}, ValueError, "strength must be above 0 and at most 1, got 1.2"),
        ({"strength": 0}, ValueError, "got 0"),
        ({"strength": float("nan")}, ValueError, "got nan"),
        ({"strength": 0.1}, ValueError, "less than one step"),
        ({"sigmas": [float("nan")]}, ValueError, "must fall"),
        ({"sigmas": [0.2, 0.5]}, ValueError, "must fall"),
        ({"true_cfg_scale": -1}, ValueError, "true_cfg_scale must be at least 0, got -1"),
        ({"true_cfg_scale": float("inf")}, ValueError, "at least 0 and finite, got inf"),
        ({"true_cfg_scale": "4"}, TypeError, "must be a number, got '4'"),
        ({"guidance_scale": -1.0}, ValueError, "guidance_scale"),
        ({"num_images_per_prompt": 0}, ValueError, "num_images_per_prompt must be at least 1"),
        ({"generator": 5}, TypeError, "torch.Generator"),
        ({"generator": [seeded(), seeded()]}, ValueError, "2 generators for 1 pictures"),
        ({"paste": "soft"}, ValueError, "'exact', 'feather', None, got 'soft'"),
        ({"output_type": "jpg"}, ValueError, "'latent', got 'jpg'"),
        ({"max_sequence_length": 513}, ValueError, "at most 512, got 513"),
        ({"callback_on_step_end_tensor_inputs": ["noise"]}, ValueError, "pred_original_latents"),
        ({"latents": torch.zeros(1, 5, 64)}, ValueError, r"expected packed noise of the shape \(1, 6, 64\)"),
        ({"latents": torch.full((1, 6, 64), torch.nan)}, ValueError, "NaN"),
        ({"prompt": None, "prompt_embeds": torch.ones(1, 12, 32)}, ValueError, "go together"),
        ({"prompt_embeds": torch.ones(1, 12, 32)}, ValueError, "leave one of them out"),
        (
            {
                "prompt": None,
                "prompt_embeds": torch.full((1, 12, 32), torch.nan),
                "pooled_prompt_embeds": torch.ones(1, 24),
            },
            ValueError,
            "NaN",
        ),
        (
            {
                "true_cfg_scale": 4.0,
                "negative_prompt_embeds": torch.ones(1, 5, 32),
                "negative_pooled_prompt_embeds": torch.ones(1, 24),
            },
            ValueError,
            "same max_sequence_length",
        ),
        ({"prompt": ["a", "b"], "image": [random_picture()] * 3}, ValueError, "2 prompts.*3 images"),
        (
            {"prompt": ["a", "b"], "true_cfg_scale": 4.0, "negative_prompt": ["x"] * 3},
            ValueError,
            "3 negative_prompts",
        ),
        ({"image": [random_picture(), random_picture(64, 32)]}, ValueError, "48x32 and 64x32"),
        ({"image": "missing.png"}, FileNotFoundError, "missing.png"),
        ({"width": 8, "height": 8}, ValueError, "width must be at least 16, got 8"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_with_words(pipe, arguments, error, words):
    with pytest.raises(error, match=words):
        edit(pipe, **arguments)


def test_missing_image_or_mask(pipe):
    with pytest.raises(TypeError, match="image is missing"):
        pipe("a ball", mask_image=random_mask())
    with pytest.raises(TypeError, match="mask_image is missing"):
        pipe("a ball", image=random_picture())


# --- the trained model ---------------------------------------------------------------------------


def test_trained_model_equals_diffusers_and_the_loop_by_hand(postcard):
    from diffusers import FluxFillPipeline

    import onereward_nb as onr

    example = onr.postcards.example("fill", seed=5, size=64)
    upstream = quiet(FluxFillPipeline(**postcard.components))
    arguments = {
        "image": example.image,
        "mask_image": example.mask,
        "output_type": "np",
        "num_inference_steps": 6,
    }
    size = {"height": 64, "width": 64, "max_sequence_length": postcard.tokenizer_2.model_max_length}
    theirs = upstream(example.prompt, **arguments, **size, generator=seeded(3)).images
    ours = postcard(example.prompt, **arguments, paste=None, generator=seeded(3)).images
    np.testing.assert_array_equal(ours, theirs)
    by_hand = edit_by_hand(postcard, example.image, example.mask, example.prompt, "nsfw", 4.0, 6, seed=3)
    guided = {"negative_prompt": "nsfw", "true_cfg_scale": 4.0, "paste": None}
    in_turn, batched = (
        postcard(example.prompt, **arguments, **guided, batched_cfg=batched, generator=seeded(3)).images
        for batched in (False, True)
    )
    np.testing.assert_allclose(batched[0], by_hand, atol=1e-4)
    np.testing.assert_allclose(batched, in_turn, atol=1e-4)
    assert np.abs(batched - ours).max() > 0.01


@pytest.mark.parametrize("count", [3, 28, 49, 50])
def test_the_strength_that_is_advised_is_enough(count):
    with pytest.raises(ValueError, match="less than one step") as refused:
        checks.steps(count, None, 0.9 / count)
    advised = float(re.search(r"raise it to ([\d.]+) or more", str(refused.value))[1])
    checks.steps(count, None, advised)
    assert advised < 1.1 / count + 0.001
