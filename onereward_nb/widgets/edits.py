"""One edit: picture, mask and settings, the result that they make, and the files that keep all of it."""

import json
import time
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..files import write
from ..images import as_mask, upright
from ..tasks import run_task
from . import png

SETTINGS = ("task", "prompt", "seed", "negative_prompt", "true_cfg_scale", "num_inference_steps")
KEY = "onereward_nb"  # of the settings in a PNG's metadata
PREVIEW_SHARE = 0.1  # of the time that previews may take


@dataclass(eq=False)
class Edit:
    """What goes into one edit, and what came out.

    image, mask: of one size; with margins, the extended canvas and what to paint on it.
    settings: the arguments of `run_task` that `SETTINGS` names.
    margins: (left, top, right, bottom), pixels of the canvas that are not the picture's.
    result: the picture that was made, of the canvas' size; None before.
    seconds: that it took.
    path: of its file, once it was saved.
    """

    image: Image.Image
    mask: Image.Image
    settings: dict
    margins: tuple[int, int, int, int] = png.NO_MARGINS
    result: Image.Image | None = None
    seconds: float | None = None
    path: Path | None = None

    @property
    def picture(self):
        """The picture without margins."""
        left, top, right, bottom = self.margins
        return self.image.crop((left, top, self.image.width - right, self.image.height - bottom))

    def run(self, pipe, on_step):
        """Make the result: this edit again, with `result` and `seconds`.

        on_step(step, steps, preview) is called after each step, from 1 to steps; preview is the picture as the
        model predicts it by then, None where none is made. What it raises ends the edit. Other threads may
        use `pipe` meanwhile. Raises what `run_task` raises.
        """
        if self.mask.getbbox() is None:
            raise ValueError(
                "Nothing is masked yet. Draw on what is to change, or drag a handle at the picture's border "
                "to extend it."
            )
        own = _for_one_thread(pipe)
        preview = _Preview(own, self)

        def callback(_, step, timestep, tensors):
            on_step(step + 1, own.num_timesteps, preview(tensors["pred_original_latents"]))

        start = time.perf_counter()
        result = run_task(
            own,
            image=self.image,
            mask=self.mask,
            **self.settings,
            callback_on_step_end=callback,
            callback_on_step_end_tensor_inputs=["pred_original_latents"],
        )
        return replace(self, result=result, seconds=time.perf_counter() - start, path=None)

    def in_words(self):
        """Task, prompt and seed, such as 'fill "a red ball", seed 3'."""
        prompt = f' "{self.settings["prompt"]}"' if self.settings["prompt"] else ""
        return f"{self.settings['task']}{prompt}, seed {self.settings['seed']}"

    def save(self, folder):
        """Write the result as `folder`/edit-001.png or the next free number, and return that path.

        The PNG's metadata holds the settings as JSON; beside it go edit-001-mask.png and edit-001-input.png.
        Saved again, the edit keeps its number. OSError if writing fails.
        """
        path = self.path or _next_free(Path(folder))
        said = PngInfo()
        said.add_itxt(KEY, json.dumps(self.settings | {"margins": self.margins}, ensure_ascii=False))
        _write_png(_beside(path, "input"), self.image)
        _write_png(_beside(path, "mask"), self.mask)
        _write_png(path, self.result, said)
        self.path = path
        return path

    def code(self, folder):
        """The call that makes the result again from the files in `folder`, which are written."""
        path = self.save(folder)
        arguments = {
            "image": _beside(path, "input").as_posix(),
            "mask": _beside(path, "mask").as_posix(),
            **self.settings,
        }
        lines = [f"    {name}={json.dumps(value, ensure_ascii=False)}," for name, value in arguments.items()]
        return "\n".join(["import onereward_nb as onr", "", "onr.run_task(", "    pipe,", *lines, ")"])


def run_all(edits, pipe, on_step):
    """Run some edits one after the other: yields each with its result.

    on_step(words, share, preview) is called after each step: words such as "Picture 1 of 2, step 3 of 8", the share of
    all that is done, from 0 to 1, and a preview as for `Edit.run`.
    """
    for number, edit in enumerate(edits):
        words = f"Picture {number + 1} of {len(edits)}, step" if len(edits) > 1 else "Step"

        def tell(step, steps, preview, number=number, words=words):
            on_step(f"{words} {step} of {steps}", (number + step / steps) / len(edits), preview)

        yield edit.run(pipe, tell)


def load(path):
    """The edit that `Edit.save` wrote.

    FileNotFoundError, or ValueError for a file that is damaged or holds no settings.
    """
    path = Path(path)
    result = upright(path)
    try:
        said = json.loads(Image.open(path).info[KEY])
        settings = {name: said[name] for name in SETTINGS}
        margins = tuple(map(int, said["margins"]))
        if len(margins) != 4 or min(margins) < 0:
            raise ValueError(f"its margins are {margins}, expected four numbers of 0 or more")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path.name!r} holds no settings of an edit: take a PNG that the studio exported."
        ) from error
    image, mask = upright(_beside(path, "input")), as_mask(_beside(path, "mask"))
    return Edit(image, mask, settings, margins, result, path=path)


def saved(folder):
    """The paths of the edits in a folder, oldest first."""
    paths = Path(folder).glob("edit-*.png")
    return sorted((path for path in paths if _number(path)), key=_number)


class _Preview:
    """Pictures of the predicted latents, as many as take a tenth of the time."""

    def __init__(self, pipe, edit):
        self._pipe, self._edit = pipe, edit
        # Where models take turns on a GPU, each preview would move the transformer away and back.
        self._not_before = float("inf") if hasattr(pipe.vae, "_hf_hook") else 0

    def __call__(self, latents):
        start = time.perf_counter()
        if start < self._not_before:
            return None
        image, mask = self._edit.image, self._edit.mask
        width, height = (-(-side // 16) * 16 for side in image.size)
        pixels = self._pipe.decode(latents, height, width)[0].clamp(0, 1).float().cpu()
        preview = upright(pixels).crop((0, 0, *image.size))
        preview = Image.composite(preview, image, mask)
        end = time.perf_counter()
        self._not_before = end + (end - start) / PREVIEW_SHARE
        return preview


def _for_one_thread(pipe):
    """The same models with a scheduler of their own, which counts its steps, and without a progress bar."""
    own = copy(pipe)
    own.scheduler = deepcopy(pipe.scheduler)
    own.set_progress_bar_config(disable=True)
    return own


def _next_free(folder):
    last = max(map(_number, folder.glob("edit-*.png")), default=0)
    return folder / f"edit-{last + 1:03}.png"


def _number(path):
    digits = path.stem.removeprefix("edit-")
    return int(digits) if digits.isdecimal() else 0


def _beside(path, what):
    return path.with_name(f"{path.stem}-{what}.png")


def _write_png(path, image, said=None):
    write(path, lambda temporary: image.save(temporary, "PNG", pnginfo=said))
