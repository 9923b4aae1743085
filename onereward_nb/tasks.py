"""The tasks of mask-guided editing: what each asks for, and how it is judged.

Source of the fixed prompts: the OneReward repository; of the dimensions: Gong et al., arXiv 2508.21066,
sections 4 and 5.
"""

from dataclasses import dataclass

from PIL import Image

from .catalogue import Catalogue
from .images import as_mask


@dataclass(frozen=True)
class Task:
    """One kind of edit.

    prompt: the fixed prompt that models know the task by, None where the reader says what to paint.
    dimensions: what its results are judged by, in the paper's names.
    needs_surroundings: whether a mask over the whole picture makes no sense.
    """

    name: str
    does: str
    dimensions: tuple[str, ...]
    prompt: str | None = None
    needs_surroundings: bool = False

    def prompt_for(self, wish):
        """The prompt for the model: the reader's wish, in this task's form, or the task's fixed prompt."""
        prompt = wish or self.prompt
        if not prompt:
            raise ValueError(
                f"The task {self.name!r} needs a prompt: {self.does}. E.g. prompt={_EXAMPLE[self.name]!r}."
            )
        return quoted(prompt) if self.name == "text" else prompt


# Settings for a quick edit by a small model, over its own ones: 16 passes of the transformer in place of 56. From 4
# steps on no success rate on 200 held-out examples is measurably lower; 8 stay clear of where it falls and come closer
# to the pictures of 28. Guidance and negative prompts work as ever. Measured on postcard-fill (assets/results/guidance.json,
# notebook 07); nothing is known for full-size models.
QUICK = {"num_inference_steps": 8}

_EXAMPLE = {"fill": "a red ball", "text": "HI", "extend": "a sunny day with a house"}
_LOOK = ("consistency", "structure", "aesthetics")

TASKS = Catalogue(
    "task",
    [
        Task("fill", "paint what the prompt names into the mask", ("text alignment", *_LOOK)),
        Task(
            "text",
            "write the words of the prompt into the mask",
            ("text alignment", *_LOOK, "text rendering"),
        ),
        Task(
            "removal",
            "take away what the mask covers",
            ("removal quality",),
            "remove",
            needs_surroundings=True,
        ),
        Task(
            "extend",
            "continue the picture into the margins as the prompt describes it",
            ("text alignment", *_LOOK),
            needs_surroundings=True,
        ),
        Task(
            "extend-no-prompt",
            "continue the picture into the margins",
            _LOOK,
            "high-definition, perfect composition",
            needs_surroundings=True,
        ),
    ],
)


QUOTES = "“”„«»"  # what stands for a plain quotation mark


def quoted(words):
    """A prompt for writing: HI becomes the words "HI"; one that has quotation marks stays as it is."""
    for mark in QUOTES:
        words = words.replace(mark, '"')
    return words if '"' in words else f'the words "{words}"'


def run_task(pipe, task, image, mask, prompt=None, seed=0, **overrides):
    """One edit with the task's prompt and the model's own settings.

    Args:
        pipe: a pipeline from `load_pipeline`.
        task: an entry of `TASKS` or its name.
        image, mask: the picture and a mask of its size; margins to fill come from `masks.extend_canvas`.
        prompt: what to paint; for "text" the words to write. None takes the task's fixed prompt.
        seed: the noise to start from. The same seed gives the same picture.
        overrides: any other argument of the pipeline, e.g. num_inference_steps=50.

    Returns:
        A PIL image of the input's size.

    Raises:
        ValueError, saying what to do, for an unknown task, a missing prompt, or a mask that leaves nothing to
        see where the task needs surroundings; TypeError for several prompts, or a name in place of a pipeline; and
        whatever the pipeline refuses.
    """
    import torch  # here, for the processes that draw examples need the prompts only

    from . import checks

    task = task if isinstance(task, Task) else TASKS[task]
    checks.pipeline(pipe)
    if not isinstance(prompt, str | None):
        raise TypeError(
            f"run_task makes one edit, of one prompt, got {prompt!r}: call the pipeline with a list."
        )
    checks.whole("seed", seed, at_least=0)
    if task.needs_surroundings and as_mask(mask).getextrema() == (255, 255):
        raise ValueError(
            f"The mask covers the whole picture: the task {task.name!r} needs surroundings to go by. "
            "Mask only the part to change."
        )
    arguments = {**pipe.settings, "generator": torch.Generator("cpu").manual_seed(seed), **overrides}
    result: Image.Image = pipe(task.prompt_for(prompt), image=image, mask_image=mask, **arguments).images[0]
    return result
