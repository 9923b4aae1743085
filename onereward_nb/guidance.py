"""Guidance rules: how what the model predicts for a prompt and against a negative prompt becomes one velocity.

A rule is a function rule(velocity, positive, negative, step, timesteps): velocity(text, branch) asks the
transformer, where `text` is a `preparation.Text` and `branch` a name that keeps its caches apart. The pipeline's
loop calls it once a step.

Plain true CFG is written here; every other rule is one of `diffusers.guiders`, taken as it is.
"""

import torch

from .preparation import Text

_LAYERS = "it skips or blurs layers, and what diffusers does for that mixes up FLUX's picture and text"
_UNFIT = {
    "AutoGuidance": _LAYERS,
    "PerturbedAttentionGuidance": _LAYERS,
    "SkipLayerGuidance": _LAYERS,
    "SmoothedEnergyGuidance": _LAYERS,
    "FrequencyDecoupledGuidance": "it splits a picture into frequencies, and packed latents are no picture",
    "LTX2Guidance": "it is made for a model of video and sound",
}


def unguided(velocity, positive, negative, step, timesteps):
    """The prediction for the prompt alone."""
    return velocity(positive, "pred_cond")


def true_cfg(scale, batched=True):
    """The rule v_neg + scale (v_pos - v_neg), of Ho and Salimans, arXiv 2207.12598.

    batched: both predictions in one call of the transformer, or one after the other in half the memory.
    """

    def rule(velocity, positive, negative, step, timesteps):
        if batched:
            both = Text(*map(torch.cat, zip(negative, positive, strict=True)))
            v_neg, v_pos = velocity(both, "both").chunk(2)
        else:
            v_neg, v_pos = velocity(negative, "pred_uncond"), velocity(positive, "pred_cond")
        return v_neg + scale * (v_pos - v_neg)

    return rule


def one_sided(scale):
    """True CFG whose gradient passes through the prompt's prediction alone: the negative one is a constant."""

    def rule(velocity, positive, negative, step, timesteps):
        with torch.no_grad():
            v_neg = velocity(negative, "pred_uncond")
        v_pos = velocity(positive, "pred_cond")
        return v_neg + scale * (v_pos - v_neg)

    return rule


def by(guider):
    """The rule of one of `diffusers.guiders`, which says each step which predictions it needs."""

    def rule(velocity, positive, negative, step, timesteps):
        guider.set_state(step=step, num_inference_steps=len(timesteps), timestep=timesteps[step])
        branches = guider.prepare_inputs({"text": (positive, negative)})
        for branch in branches:
            branch.noise_pred = velocity(branch.text, getattr(branch, guider._identifier_key))
        return guider(branches).pred

    return rule


def check(guider, true_cfg_scale=1.0):
    """TypeError for what is no guider, ValueError for one that doesn't fit, or beside another scale."""
    from diffusers.guiders import BaseGuidance

    if not isinstance(guider, BaseGuidance):
        raise TypeError(
            "guider must be one of diffusers.guiders, such as ClassifierFreeGuidance(4.0, start=0.2, stop=0.8), "
            f"got {guider!r}."
        )
    name = type(guider).__name__
    if name in _UNFIT:
        raise ValueError(f"{name} does not fit this model: {_UNFIT[name]}. Choose another guider.")
    if true_cfg_scale != 1:
        raise ValueError(
            f"true_cfg_scale={true_cfg_scale!r} and a guider are both given: a guider has a scale of its own. "
            "Give one of them; true_cfg_scale=1 leaves the guider alone."
        )
