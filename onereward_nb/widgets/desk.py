"""The desk of a studio: mask editor, settings, result and history, in step with each other.

Edits run in the background (jobs.py), so that the kernel stays free. What one edit is, and its files, is in edits.py;
the right half of the widget in gallery.py; the controls in controls.py; live mode in live.py; what is kept on disk in
shelf.py.
"""

import secrets
from functools import partial

from traitlets import TraitError

from .. import masks
from ..environment import frozen
from ..grids import grid
from . import edits
from .controls import Controls
from .editor import MaskEditor
from .edits import SETTINGS, Edit
from .gallery import HISTORY, Gallery
from .jobs import Worker
from .live import Live
from .shelf import Shelf

EXPORTS = "studio"  # the folder that Export writes to, unless autosave names one
VIEW = "application/vnd.jupyter.widget-view+json"


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

    def __init__(self, pipe, image, autosave, start, forget):
        self.error, self._forget = None, forget
        self._pipe, self._given = pipe, {}
        self._worker = Worker(self._failed)
        self.editor, self.gallery = MaskEditor(image), Gallery()
        self._shelf = Shelf(autosave, image) if autosave and not frozen() else None
        self._live = Live(pipe)
        super().__init__(self.editor, self.gallery)
        own = {**pipe.settings, **pipe.quick}
        self._take({name: own[name] for name in SETTINGS if name in own})
        self.live = self._live.tried
        self.start_with(start)
        if self._shelf:
            self._take_up()
        self._listen()
        self._live.answers = True

    # --- from Python -----------------------------------------------------------------------------

    def start_with(self, values):
        """Take the starting values that changed since the last time: settings by their names, and the mask."""
        for name in set(values) - set(self.fields) - {"mask"}:
            raise TypeError(f"The studio has no setting {name!r}: it has {', '.join(self.fields)} and mask.")
        if "live" in values:
            self._live.decided()
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
        self._forget(self)
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
        with self._worker.cancel(), self._live.unanswered():
            self.editor.image, self.editor.margins = edit.picture, edit.margins
            self.editor.mask = edit.mask
            self._take(edit.settings)
            self.gallery.show(edit)
            self._rest(edit.in_words())

    def use_as_input(self):
        """Go on editing with the picture on show, and with an empty mask."""
        result = self._made().result
        with self._worker.cancel(), self._live.unanswered():
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

        def on_step(*shown):
            with wanted():
                self.gallery.forms(*shown)

        for done in edits.run_all(new, self._pipe, on_step):
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
        with self._live.unanswered(), self.hold_trait_notifications():
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
            self._live.decided()
        if self.live and self._live.answers and not frozen() and masks.coverage(self.editor.mask):
            self._begin()

    def _judge_live(self):
        """Leave live mode, unless it was asked for, where edits take too long."""
        if self.live and self._live.too_slow(self.history):
            self.live = False
            self.gallery.say(
                f"An edit takes {self.history[-1].seconds:.1f} s here, so live is off: press Generate."
            )
