"""The studio: mask editor, settings, result and history in one widget.

    studio = onr.studio(pipe, image)
    studio                      # shown when it is the last value of a cell
    studio.result               # in any later cell: the picture on show

Edits run in one background thread (jobs.py), so that the kernel stays free. What one edit is, and its files,
is in edits.py; the right half of the widget in gallery.py; the controls in controls.py; what is kept on disk
in shelf.py.
"""

import secrets
from contextlib import contextmanager
from functools import partial

from traitlets import TraitError

from .. import checks, masks
from ..environment import frozen
from ..grids import grid
from ..images import as_mask, upright
from . import edits
from .controls import Controls
from .editor import MaskEditor
from .edits import SETTINGS, Edit
from .gallery import HISTORY, Gallery
from .jobs import Worker
from .shelf import Shelf

LIVE_PARAMETERS = 50e6  # of a transformer small enough to be tried live
LIVE_SECONDS = 1.5  # the longest edit that still feels live
EXPORTS = "studio"  # the folder that Export writes to, unless autosave names one
VIEW = "application/vnd.jupyter.widget-view+json"

_studios = {}  # those of this session, by pipeline, folder and picture; ipywidgets keeps all widgets, too


def studio(pipe, image, mask=None, autosave=None, **settings):
    """A widget to edit a picture with: draw a mask, choose task and settings, see the result as it forms.

    The same pipeline and picture give the same studio again, so that a cell can be run again without losing
    anything. Starting values that changed since the last call are taken over.

    Args:
        pipe: a pipeline from `load_pipeline`.
        image: a picture of any kind that `onereward_nb.images` reads.
        mask: the mask to start with; empty by default.
        autosave: a folder. The mask and every result are written there, and taken up again after the kernel
            was restarted, in place of the starting values. Each picture has a folder of its own in it. Without
            effect while notebook outputs are stored or compared.
        settings: starting values of the studio's settings, see `Studio`.

    Returns:
        A `Studio`.

    Raises:
        TypeError or ValueError for what is no picture, no mask, does not fit, or is no setting, and for a name in
        place of a pipeline; TraitError for a value out of its range.
    """
    checks.pipeline(pipe)
    picture = upright(image)
    start = settings if mask is None else settings | {"mask": as_mask(mask)}
    key = (id(pipe), str(autosave), picture.size, picture.tobytes())
    known = _studios.get(key)
    if known is None:
        known = _studios[key] = Studio(pipe, picture, autosave, start)
    else:
        known.start_with(start)
    return known


class Studio(Controls):
    """The widget that `studio` makes.

    Attributes:
        task: the name of an entry of `TASKS`.
        prompt, negative_prompt, true_cfg_scale, num_inference_steps: as for the pipeline. The empty prompt
            takes the task's own. They start as the model's own settings, with fewer steps for the small models
            (`onr.QUICK`), so that live edits answer at once.
        seed: of the (first) picture; the others have the ones after it. `roll`: take a new one on Generate.
        pictures: how many to make at once, 1 to 4.
        live: whether each stroke and each changed setting is answered at once. By default on for models that
            take under about 1.5 seconds.
        editor: the `MaskEditor`, with `image`, `mask` and `margins`.
        history: the last 40 results, newest last, each with `image`, `mask`, `settings`, `result`, `seconds`.
        edit: the one on show; None before the first.
        error: the exception that ended the last edit, None if it went well. Its words show in the widget.
    """

    _ipython_display_ = None  # that of ipywidgets 7 would leave out the still picture

    def __init__(self, pipe, image, autosave=None, start=None):
        self.error = None
        self._pipe, self._given = pipe, {}
        self._worker = Worker(self._failed)
        self.editor, self.gallery = MaskEditor(image), Gallery()
        self._shelf = Shelf(autosave, image) if autosave and not frozen() else None
        self._answers = False  # whether live mode answers to changes
        super().__init__(self.editor, self.gallery)
        own = {**pipe.settings, **pipe.quick}
        self._take({name: own[name] for name in SETTINGS if name in own})
        self._tries_live = self.live = _is_small(pipe)
        self.start_with(start or {})
        if self._shelf:
            self._take_up()
        self._listen()
        self._answers = True

    # --- from Python -----------------------------------------------------------------------------

    def start_with(self, values):
        """Take the starting values that changed since the last time: settings by their names, and the mask."""
        for name in set(values) - set(self.fields) - {"mask"}:
            raise TypeError(f"The studio has no setting {name!r}: it has {', '.join(self.fields)} and mask.")
        self._tries_live = self._tries_live and "live" not in values
        self._take({name: value for name, value in values.items() if self._given.get(name) != value})
        self._given = values

    @property
    def history(self):
        return list(self.gallery.edits)

    @property
    def edit(self):
        return self.gallery.edit

    @property
    def result(self):
        """The picture on show, a PIL image; None before the first."""
        return self.edit and self.edit.result

    def generate(self):
        """Make the picture in the background, in place of one that is being made."""
        if self.roll:
            self._take({"seed": secrets.randbelow(100_000)})
        self._begin()

    def cancel(self):
        """Stop after the step that runs. What is on show stays."""
        with self._worker.cancel():
            self._rest("Cancelled.")

    def close(self):
        """End what runs, let go of the pipeline, and leave the page. The history can still be read."""
        with self._worker.cancel():
            self._pipe = self.error = None  # the traceback of an error holds the pipeline, too
        for key in [key for key, studio in _studios.items() if studio is self]:
            del _studios[key]
        super().close()

    def wait(self, timeout=None):
        """Wait until nothing is being made. TimeoutError after `timeout` seconds; raises the edit's error."""
        if not self._worker.wait(timeout):
            raise TimeoutError(f"The edit is not done after {timeout} seconds; studio.cancel() would end it.")
        if self.error:
            raise self.error

    def restore(self, number):
        """Show a result of the history again, with its picture, mask and settings. number: as in a list."""
        edit = self.history[number]
        with self._worker.cancel(), self._unanswered():
            self.editor.image, self.editor.margins = edit.picture, edit.margins
            self.editor.mask = edit.mask
            self._take(edit.settings)
            self.gallery.show(edit)
            self._rest(edit.in_words())

    def use_as_input(self):
        """Go on editing with the picture on show, and with an empty mask."""
        result = self._made().result
        with self._worker.cancel(), self._unanswered():
            self.editor.image, self.editor.mask = result, None
            self._rest("Now the result is the input. Mask what is to change next.")

    def export(self):
        """Write the picture on show, its settings, mask and input, and show the code that makes it again.

        They go to the autosave folder, or to one named "studio". Returns the path of the picture.
        """
        edit = self._made()
        self.code.value = edit.code(self._shelf.folder if self._shelf else EXPORTS)
        self.code.layout.display = ""
        self.gallery.say(f"Written: {edit.path.as_posix()}, and beside it its mask and input.")
        return edit.path

    def still(self):
        """Mask and result as they are now, as an `onereward_nb.grids.Picture`."""
        drawn = self.editor.still()
        if self.edit is None:
            return drawn
        return grid(
            [drawn.image, self.result], ["mask", "result"], alt=f"{drawn.alt}; {self.edit.in_words()}"
        )

    def __repr__(self):
        return f"Studio with {len(self.history)} results and a {self.editor!r}"

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = self.still()._repr_mimebundle_()
        data["text/plain"] = repr(self)
        view = self.gallery._repr_mimebundle_(**kwargs)  # as an anywidget has it, which knows of Colab's ways
        if view is None:
            return data, metadata
        return data | {VIEW: view[0][VIEW] | {"model_id": self.model_id}}, metadata | view[1]

    # --- the edit in the background --------------------------------------------------------------

    def _begin(self):
        if self._pipe is None:
            raise ValueError("This studio is closed: make a new one with onr.studio(pipe, image).")
        editor = self.editor
        new = [
            Edit(editor.image, editor.mask, self.settings | {"seed": self.seed + i}, editor.margins)
            for i in range(self.pictures)
        ]
        with self._worker.start(partial(self._make, new)):
            self.error = None
            self.buttons["cancel"].disabled = False
            self.gallery.forms("Starting …", 0)

    def _make(self, new, wanted):
        """What the background thread does. All that shows happens while it is wanted."""
        for number, edit in enumerate(new):
            words = f"Picture {number + 1} of {len(new)}, step" if len(new) > 1 else "Step"

            def on_step(step, steps, preview, number=number, words=words):
                with wanted():
                    share = (number + step / steps) / len(new)
                    self.gallery.forms(f"{words} {step} of {steps}", share, preview)

            done = edit.run(self._pipe, on_step)
            with wanted():
                try:
                    if self._shelf:
                        self._shelf.keep_edit(done)
                finally:  # shown when it has its file, so that Export takes no other; and if it gets none
                    self.gallery.add(done)
        with wanted():
            self._rest(f"{done.in_words()}, in {done.seconds:.1f} s")
            self._judge_live()

    def _rest(self, message, wrong=False):
        """Nothing is being made: say what became of it."""
        self.gallery.say(message, wrong)
        self.buttons["cancel"].disabled = True
        for name in ("use", "export"):
            self.buttons[name].disabled = self.edit is None

    def _failed(self, error):
        self.error = error
        expected = isinstance(error, (ValueError, TypeError, OSError))
        self._rest(str(error) if expected else f"{type(error).__name__}: {error}", wrong=True)

    def _made(self):
        if self.edit is None:
            raise ValueError("Nothing is made yet: press Generate, or call studio.generate() and .wait().")
        return self.edit

    # --- in step with the browser ----------------------------------------------------------------

    def _listen(self):
        actions = {
            "generate": self.generate,
            "cancel": self.cancel,
            "use": self.use_as_input,
            "export": self.export,
        }
        for name, action in actions.items():
            self.buttons[name].on_click(lambda _, action=action: self._attempt(action))
        self.gallery.on_msg(lambda _, said, __: self._attempt(partial(self.restore, said["restore"])))
        self.observe(self._answer, [*SETTINGS, "live"])
        self.editor.observe(self._answer, "mask")
        if self._shelf:
            self.editor.observe(lambda _: self._attempt(partial(self._shelf.keep, self.editor)), "rev")

    def _attempt(self, action):
        """Do what was asked for in the browser. Errors show in the widget, where a log would swallow them."""
        try:
            action()
        except Exception as error:
            self._failed(error)

    def _take(self, values):
        """Set settings, all or none, and the mask, without an answer from live mode."""
        with self._unanswered(), self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self.editor if name == "mask" else self, name, value)

    def _take_up(self):
        """Go on where the studio of an earlier kernel was left, as far as can be. The first trouble shows."""
        trouble = None
        for take_up in (
            *(partial(self._take_up_edit, path) for path in self._shelf.paths()[-HISTORY:]),
            lambda: self.history and self.restore(-1),
            partial(self._shelf.put_back, self.editor),
        ):
            self._attempt(take_up)
            trouble = trouble or self.error
        if trouble:
            self._failed(trouble)

    def _take_up_edit(self, path):
        edit = edits.load(path)
        try:
            self._take(edit.settings)
        except TraitError as error:
            raise ValueError(f"{path.name!r} holds a value that the studio does not take: {error}") from error
        self.gallery.add(edit)

    # --- live ------------------------------------------------------------------------------------

    def _answer(self, change):
        if change.name == "live":
            self._tries_live = False  # decided
        if self.live and self._answers and not frozen() and masks.coverage(self.editor.mask):
            self._begin()

    @contextmanager
    def _unanswered(self):
        before, self._answers = self._answers, False
        try:
            yield
        finally:
            self._answers = before

    def _judge_live(self):
        """Leave live mode, unless it was asked for, where two edits in a row took too long."""
        slow = [edit.seconds for edit in self.history[-2:] if (edit.seconds or 0) > LIVE_SECONDS]
        if self.live and self._tries_live and len(slow) == 2:
            self.live = False
            self.gallery.say(f"An edit takes {slow[1]:.1f} s here, so live is off: press Generate.")


def _is_small(pipe):
    return sum(each.numel() for each in pipe.transformer.parameters()) < LIVE_PARAMETERS
