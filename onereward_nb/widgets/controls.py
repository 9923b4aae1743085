"""The studio's settings and buttons: ipywidgets with a label, an explanation, and a place in the layout."""

import ipywidgets
import traitlets

from ..tasks import TASKS
from .edits import SETTINGS

LARGEST_SEED, LARGEST_SCALE = 2**31 - 1, 30
MOST_STEPS, MOST_PICTURES = 200, 4


class Controls(ipywidgets.VBox):
    """All settings as traits, each in step with the control that shows it; laid out around the pictures."""

    task = traitlets.Enum(list(TASKS), "fill")
    prompt = traitlets.Unicode("")
    negative_prompt = traitlets.Unicode("")
    true_cfg_scale = traitlets.Float(1.0, min=1, max=LARGEST_SCALE)
    num_inference_steps = traitlets.Int(28, min=1, max=MOST_STEPS)
    seed = traitlets.Int(0, min=0, max=LARGEST_SEED)
    roll = traitlets.Bool(False)
    pictures = traitlets.Int(1, min=1, max=MOST_PICTURES)
    live = traitlets.Bool(False)

    def __init__(self, editor, gallery):
        self.fields, self.buttons, self.code = _fields(), _buttons(), _code()
        super().__init__(_laid_out(editor, gallery, self.fields | self.buttons, self.code))
        self.add_class("onr-studio")
        for name, field in self.fields.items():
            traitlets.link((self, name), (field, "value"))
        self.observe(lambda _: self._hint(), "task")
        self._hint()

    @property
    def settings(self):
        """The arguments of `run_task` that stand in the controls."""
        return {name: getattr(self, name) for name in SETTINGS}

    def _hint(self):
        task = TASKS[self.task]
        self.fields["prompt"].placeholder = task.prompt or task.does


def _fields():
    """One control for each setting, by the setting's name."""
    words = {"continuous_update": False}  # when they are complete: on Enter, or when the focus leaves
    return {
        "task": _field(
            ipywidgets.Dropdown(options=list(TASKS)),
            "Task",
            "The kind of edit, with its fixed prompt if it has one",
        ),
        "prompt": _field(
            ipywidgets.Text(**words),
            "Prompt",
            "What to paint into the mask; for the task “text”, the words to write",
        ),
        "negative_prompt": _field(
            ipywidgets.Text(**words),
            "Negative prompt",
            "What to steer away from; used where true CFG is above 1",
        ),
        "true_cfg_scale": _field(
            ipywidgets.BoundedFloatText(min=1, max=LARGEST_SCALE, step=0.5),
            "True CFG",
            "How strongly to follow the prompt; 1 is off and takes half the time",
        ),
        "num_inference_steps": _field(
            ipywidgets.BoundedIntText(min=1, max=MOST_STEPS), "Steps", "Steps from noise to the picture"
        ),
        "seed": _field(
            ipywidgets.BoundedIntText(min=0, max=LARGEST_SEED),
            "Seed",
            "The noise to start from: the same seed gives the same picture",
        ),
        "roll": _explained(
            ipywidgets.ToggleButton(icon="random", description="Roll"),
            "Take a new seed each time Generate is pressed",
        ),
        "pictures": _field(
            ipywidgets.BoundedIntText(min=1, max=MOST_PICTURES),
            "Pictures",
            "How many at once, 1 to 4, with this seed and the ones after it",
        ),
        "live": _explained(
            ipywidgets.ToggleButton(icon="bolt", description="Live"),
            "Answer each stroke and each changed setting at once",
        ),
    }


def _buttons():
    """The buttons by their names."""
    return {
        "generate": _button("Generate", "play", "Make the picture", button_style="primary"),
        "cancel": _button("Cancel", "stop", "Stop after the step that runs", disabled=True),
        "use": _button("Use as input", "arrow-left", "Go on editing with this result", disabled=True),
        "export": _button(
            "Export",
            "download",
            "Write the result with its settings, mask and input, and show its code",
            disabled=True,
        ),
    }


def _code():
    """Where the code of an edit stands, hidden at first."""
    area = _field(
        ipywidgets.Textarea(rows=14), "Code", "Copy this into a cell: with `pipe`, it makes the same picture"
    )
    area.layout.display = "none"
    return area


def _laid_out(editor, gallery, named, code):
    """All of it from top to bottom: what to paint, how, where and its result, the code."""
    rows = [
        ["task", "prompt", "generate", "cancel", "live"],
        ["negative_prompt", "true_cfg_scale", "num_inference_steps", "seed", "roll", "pictures"],
    ]
    result = ipywidgets.VBox([gallery, _row(named["use"], named["export"])])
    pictures = ipywidgets.HBox([editor, result])
    pictures.add_class("onr-columns")
    return [*(_row(*(named[name] for name in row)) for row in rows), pictures, code]


def _row(*children):
    made = ipywidgets.HBox(children)
    made.add_class("onr-row")
    return made


def _field(widget, label, explanation):
    widget.description = label
    widget.add_class("onr-field")
    widget.add_class(f"onr-{label.lower().replace(' ', '-')}")
    return _explained(widget, explanation)


def _button(description, icon, explanation, **settings):
    return _explained(ipywidgets.Button(description=description, icon=icon, **settings), explanation)


def _explained(widget, explanation):
    # ipywidgets 7 has `tooltip` on buttons only, and another name for it elsewhere
    setattr(widget, "tooltip" if widget.has_trait("tooltip") else "description_tooltip", explanation)
    return widget
