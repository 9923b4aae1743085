"""What each knob of guidance costs and buys: success by ground truth, against how much of the transformer an edit computes.

Every sweep changes one thing of the model's own settings; the last one changes several, to find cheap settings.
"""

from dataclasses import dataclass, field, replace
from itertools import product

from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig
from diffusers.guiders import (
    AdaptiveProjectedGuidance,
    ClassifierFreeGuidance,
    ClassifierFreeZeroStarGuidance,
    TangentialClassifierFreeGuidance,
)

from ...evaluation import HELD_OUT, OTHER_NOISE, edit_examples, summarise
from ...tasks import TASKS
from ..examples import example
from ..oracle import pool, score_all

SCALES = (1, 1.5, 2, 3, 4, 6, 8)
STEPS = (2, 4, 6, 8, 12, 20, 28, 50)
INTERVALS = ((0, 0.25), (0, 0.5), (0.25, 0.75), (0.5, 1))
GUIDERS = {
    "CFG-Zero*": ClassifierFreeZeroStarGuidance,
    "APG": AdaptiveProjectedGuidance,
    "TCFG": TangentialClassifierFreeGuidance,
}
NEGATIVE_PROMPTS = ("", "nsfw", "blurry, low quality")


@dataclass(frozen=True)
class Setting:
    """One point of a sweep: what differs from the model's own settings.

    guider: makes the guidance rule, for a guider keeps a state of its own. cache: diffusers' configuration of a
    step cache. noise: which noise the examples start from.
    """

    sweep: str
    name: str
    overrides: dict = field(default_factory=dict)
    guider: object = None
    cache: object = None
    noise: int = 0


def settings(own_scale):
    """All points of all sweeps. own_scale: the model's true_cfg_scale, which guiders and intervals take too."""
    for scale in SCALES:
        yield Setting("scale", f"{scale:g}", {"true_cfg_scale": scale})
    for steps in STEPS:
        yield Setting("steps", str(steps), {"num_inference_steps": steps})
    for start, stop in INTERVALS:
        yield Setting("interval", f"{start:g} to {stop:g}", guider=interval(own_scale, start, stop))
    for name, guider in GUIDERS.items():
        yield Setting("guider", name, guider=lambda guider=guider: guider(guidance_scale=own_scale))
    for threshold in (0.05, 0.1, 0.2):
        yield Setting(
            "cache",
            f"first block, {threshold:g}",
            {"batched_cfg": False},
            cache=FirstBlockCacheConfig(threshold),
        )
    for every in (2, 3, 5):
        seer = TaylorSeerCacheConfig(cache_interval=every, disable_cache_before_step=3, max_order=1)
        yield Setting("cache", f"TaylorSeer, every {every}", {"batched_cfg": False}, cache=seer)
    for words in NEGATIVE_PROMPTS:
        yield Setting("negative prompt", words or "(empty)", {"negative_prompt": words})
    for noise in range(3):
        yield Setting("seed", str(noise), noise=noise)
    for steps, (start, stop) in product((6, 8, 12, 20), ((0, 0.5), (0.5, 1), (0, 0))):
        name = f"{steps} steps, " + (f"guided {start:g} to {stop:g}" if stop else "unguided")
        knobs = {"num_inference_steps": steps}
        if stop:
            yield Setting("together", name, knobs, guider=interval(own_scale, start, stop))
        else:
            yield Setting("together", name, knobs | {"true_cfg_scale": 1.0})


def interval(scale, start, stop):
    """A maker of plain CFG within a share of the steps, as in arXiv 2404.07724."""
    return lambda: ClassifierFreeGuidance(guidance_scale=scale, start=start, stop=stop)


def measure(pipe, count):
    """Success and cost of every setting, by task: {sweep: {setting: {"cost": ..., task: summary, ...}}}.

    The cost is what an edit computes, in passes of the whole transformer over one picture: 56 for 28 steps of
    full CFG. The oracle scores in processes of its own while the next edits are made.
    """
    examples = {
        task: [example(task, seed, pipe.default_size) for seed in range(HELD_OUT, HELD_OUT + count)]
        for task in TASKS
    }
    points = []
    with pool() as oracle:
        for setting in settings(pipe.settings["true_cfg_scale"]):
            with Passes(pipe.transformer) as passes:
                edits = {task: edit(pipe, each, setting) for task, each in examples.items()}
            scores = {task: oracle.submit(score_all, examples[task], edits[task]) for task in TASKS}
            points.append((setting, passes.number / (count * len(TASKS)), scores))
            print(setting.sweep, setting.name, f"{points[-1][1]:.1f} passes an edit", flush=True)
        table = {}
        for setting, cost, scores in points:
            rates = {task: summarise(each.result())["success"] for task, each in scores.items()}
            table.setdefault(setting.sweep, {})[setting.name] = {"passes": cost, "success": rates}
    return {"examples": count, "settings": dict(pipe.settings), "sweeps": table}


def edit(pipe, examples, setting):
    """The edits of some examples under a setting."""
    overrides = dict(setting.overrides)
    if setting.guider:
        overrides |= {"guider": setting.guider(), "true_cfg_scale": 1.0}
    if setting.cache:
        pipe.transformer.enable_cache(setting.cache)
    try:
        noisy = [replace(each, seed=each.seed + setting.noise * OTHER_NOISE) for each in examples]
        return edit_examples(pipe, noisy, **overrides)
    finally:
        if setting.cache:
            pipe.transformer.disable_cache()


class Passes:
    """Counts how much of a transformer is computed, in whole passes over one picture, from `with` on.

    Blocks that a step cache skips don't count: the count is of queries that attention layers compute.
    """

    def __init__(self, transformer):
        blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
        self.layers = [block.attn.to_q for block in blocks]
        self.pictures = 0

    def __enter__(self):
        self.hooks = [layer.register_forward_pre_hook(self.count) for layer in self.layers]
        return self

    def count(self, layer, inputs):
        self.pictures += len(inputs[0])

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()

    @property
    def number(self):
        return self.pictures / len(self.layers)
