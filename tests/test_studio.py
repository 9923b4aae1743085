"""The studio without a browser: edits in the background, live mode, history, files, and words for mistakes."""

import gc
import io
import json
import threading
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tiny import quiet, random_mask, random_picture
from traitlets import TraitError

import onereward_nb as onr
from onereward_nb import masks
from onereward_nb.stand_in import components
from onereward_nb.widgets import edits, live
from onereward_nb.widgets import studio as module
from onereward_nb.widgets.jobs import Worker

SOON = 60  # seconds; longer than anything takes on a busy machine
SETTINGS = {"prompt": "a ball", "seed": 3, "true_cfg_scale": 2.0, "num_inference_steps": 3}


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """No studio of another test, and files in a folder of the test's own."""
    monkeypatch.setattr(module, "_studios", {})
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def image():
    return random_picture(50, 40)


@pytest.fixture
def mask():
    return random_mask(50, 40)


@pytest.fixture
def studio(pipe, image, mask):
    made = onr.studio(pipe, image, mask, live=False, **SETTINGS)
    yield made
    made.cancel()
    made._worker.wait()


@pytest.fixture
def steps(pipe, monkeypatch):
    """steps.count: calls of the transformer. `with steps.held():` the call inside waits for the end of it."""
    watch = Steps(pipe.transformer.forward)
    monkeypatch.setattr(pipe.transformer, "forward", watch)
    return watch


class Steps:
    def __init__(self, forward):
        self.forward, self.count = forward, 0
        self.reached, self.go = threading.Event(), threading.Event()
        self.go.set()

    def __call__(self, *args, **kwargs):
        self.count += 1
        self.reached.set()
        assert self.go.wait(SOON)
        return self.forward(*args, **kwargs)

    @contextmanager
    def held(self):
        self.reached.clear()
        self.go.clear()
        yield
        self.go.set()


def made(studio):
    studio.generate()
    studio.wait(SOON)
    return studio.result


def same(first, second):
    return first.size == second.size and first.tobytes() == second.tobytes()


# --- one edit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", onr.TASKS)
def test_it_makes_what_run_task_makes(studio, pipe, image, mask, task):
    studio.task, studio.negative_prompt = task, "blur"
    expected = onr.run_task(pipe, task, image, mask, negative_prompt="blur", **SETTINGS)
    assert same(made(studio), expected)
    assert studio.edit.settings == SETTINGS | {"task": task, "negative_prompt": "blur"}
    assert studio.edit.seconds > 0
    assert (studio.gallery.shown, len(studio.history), studio.gallery.progress) == (0, 1, -1)
    assert studio.gallery.message.startswith(f'{task} "a ball", seed 3, in 0.')


def test_settings_are_those_of_the_model_at_first(pipe, image):
    studio = onr.studio(pipe, image)
    assert (studio.task, studio.true_cfg_scale, studio.negative_prompt) == ("fill", 4.0, "nsfw")
    assert studio.num_inference_steps == pipe.settings["num_inference_steps"]


def test_it_starts_quick_where_the_model_can(pipe, image, mask, monkeypatch):
    monkeypatch.setattr(pipe, "quick", {"num_inference_steps": 5}, raising=False)
    studio = onr.studio(pipe, image)
    assert (studio.num_inference_steps, studio.true_cfg_scale) == (5, 4.0)
    asked = onr.studio(pipe, image, mask, num_inference_steps=6)
    assert asked.num_inference_steps == 6


def test_the_picture_shows_as_it_forms(studio):
    seen = []
    studio.gallery.observe(lambda change: seen.append((change.name, change.new)), ["progress", "_forming"])
    made(studio)
    progress = [value for name, value in seen if name == "progress"]
    assert progress == [0, *(pytest.approx(i / 3) for i in (1, 2, 3)), -1]
    assert any(value.startswith("data:image/webp") for name, value in seen if name == "_forming")
    assert studio.gallery._forming == ""


def test_several_pictures_have_the_seeds_in_a_row(studio, pipe, image, mask):
    studio.pictures = 3
    made(studio)
    assert [edit.settings["seed"] for edit in studio.history] == [3, 4, 5]
    for edit in studio.history:
        assert same(edit.result, onr.run_task(pipe, image=image, mask=mask, **edit.settings))
    assert studio.gallery.shown == 2


def test_roll_takes_a_new_seed_each_time(studio):
    studio.roll = True
    made(studio), made(studio)
    first, second = (edit.settings["seed"] for edit in studio.history)
    assert first != second == studio.seed


def test_extended_by_margins_the_result_has_the_size_of_the_canvas(studio, pipe, image):
    studio.editor.mask, studio.editor.margins = None, (16, 0, 8, 0)
    studio.task = "extend"
    canvas, margin = masks.extend_canvas(image, left=16, right=8)
    assert same(
        made(studio), onr.run_task(pipe, "extend", canvas, margin, negative_prompt="nsfw", **SETTINGS)
    )
    assert studio.result.size == (74, 40)


def test_the_pipeline_can_be_used_meanwhile(studio, pipe, image, mask, steps):
    expected = made(studio)
    with steps.held():
        studio.generate()
        steps.reached.wait(SOON)
    other = onr.run_task(pipe, "fill", image, mask, "a tree", num_inference_steps=2)
    studio.wait(SOON)
    assert same(studio.result, expected)
    assert same(other, onr.run_task(pipe, "fill", image, mask, "a tree", num_inference_steps=2))
    assert pipe._progress_bar_config == {"disable": True}


# --- stopping and replacing ----------------------------------------------------------------------


def test_cancel_stops_after_the_step_that_runs(studio, steps):
    studio.num_inference_steps = 50
    with steps.held():
        studio.generate()
        steps.reached.wait(SOON)
        assert not studio.buttons["cancel"].disabled
        studio.cancel()
    studio.wait(SOON)
    assert steps.count == 1
    assert studio.result is None and studio.error is None
    assert studio.gallery.message == "Cancelled."
    assert studio.buttons["cancel"].disabled


def test_a_newer_edit_replaces_the_one_that_runs_and_those_that_wait(studio, pipe, image, mask, steps):
    shown = []
    studio.gallery.observe(lambda change: shown.append(studio.edit.settings["prompt"]), "shown")
    with steps.held():
        for prompt in ("old", "older", "new"):
            studio.prompt = prompt
            studio.generate()
            steps.reached.wait(SOON)
    studio.wait(SOON)
    assert shown == ["new"] == [edit.settings["prompt"] for edit in studio.history]
    assert steps.count == 1 + 3


def test_wait_says_when_it_takes_too_long(studio, steps):
    with steps.held():
        studio.generate()
        with pytest.raises(TimeoutError, match=r"not done after 0.01 seconds"):
            studio.wait(0.01)
    studio.wait(SOON)


def fails(*_):
    raise RuntimeError("told to fail")


def test_the_worker_outlives_an_error_that_cannot_be_told(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda error: None)  # which would tell it to pytest
    worker, done = Worker(on_error=fails), threading.Event()
    with worker.start(fails):
        pass
    assert worker.wait(SOON) and not worker.busy
    with worker.start(lambda wanted: done.set()):
        pass
    assert worker.wait(SOON) and done.is_set()


# --- live ----------------------------------------------------------------------------------------


def test_live_answers_strokes_and_settings(studio, mask):
    studio.live = True
    studio.wait(SOON)
    studio.editor.mask = masks.grow(mask, 2)
    studio.wait(SOON)
    studio.seed = 8
    studio.wait(SOON)
    assert [edit.settings["seed"] for edit in studio.history] == [3, 3, 8]
    assert same(studio.edit.mask, masks.grow(mask, 2))
    studio.editor.mask = None  # nothing to do
    studio.wait(SOON)
    assert len(studio.history) == 3 and studio.error is None


def test_live_is_tried_with_small_models_and_left_where_they_are_slow(pipe, image, mask, monkeypatch):
    studio = onr.studio(pipe, image, mask, **SETTINGS)
    assert studio.live
    monkeypatch.setattr(live, "SECONDS", 0)
    made(studio)
    assert studio.live  # the first may be slow because it is the first
    made(studio)
    assert not studio.live
    assert "so live is off" in studio.gallery.message
    studio.live = True  # asked for
    studio.wait(SOON)
    assert studio.live
    monkeypatch.setattr(live, "PARAMETERS", 1)
    assert not onr.studio(pipe, image.rotate(180)).live


def test_live_rests_while_outputs_are_stored(pipe, image, mask, monkeypatch):
    monkeypatch.setenv("ONEREWARD_NB_FROZEN", "1")
    studio = onr.studio(pipe, image, live=True, **SETTINGS)
    studio.editor.mask = mask
    assert not studio._worker.busy and not studio.history
    assert made(studio) is not None  # when called for


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": ""}, "The task 'fill' needs a prompt"),
        ({"mask": None}, "Nothing is masked yet. Draw"),
        ({"task": "removal", "mask": Image.new("L", (50, 40), 255)}, "covers the whole picture"),
    ],
)
def test_mistakes_show_in_words_and_nothing_is_lost(studio, change, words):
    before = made(studio)
    studio._take(change)
    studio.generate()
    with pytest.raises(ValueError, match=words):
        studio.wait(SOON)
    assert studio.gallery.wrong and words in studio.gallery.message
    assert same(studio.result, before) and studio.gallery.shown == 0
    studio._take({"prompt": "a ball", "mask": before.convert("L"), "task": "fill"})
    made(studio)
    assert not studio.gallery.wrong and studio.error is None


def test_an_error_nobody_foresaw_is_named(studio, pipe, monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("weights")

    monkeypatch.setattr(pipe.transformer, "forward", broken)
    studio.generate()
    with pytest.raises(KeyError):
        studio.wait(SOON)
    assert studio.gallery.message == "KeyError: 'weights'"
    monkeypatch.undo()


def test_what_a_button_cannot_do_shows_in_words(studio):
    studio.buttons["export"].click()
    assert studio.gallery.wrong and "Nothing is made yet" in studio.gallery.message
    with pytest.raises(ValueError, match="Nothing is made yet"):
        studio.use_as_input()


def test_unknown_settings_and_values_are_refused(pipe, image):
    with pytest.raises(TypeError, match=r"no setting 'steps': it has task, prompt"):
        onr.studio(pipe, image, steps=3)
    with pytest.raises(TraitError, match=r"pictures.*greater than 4"):
        onr.studio(pipe, image, pictures=9)
    with pytest.raises(ValueError, match="32x32 pixels, the editor's picture 50x40"):
        onr.studio(pipe, image, mask=Image.new("L", (32, 32)))
    with pytest.raises(TypeError, match="pipe is the name 'postcard-fill': give the pipeline"):
        onr.studio("postcard-fill", image)


# --- history -------------------------------------------------------------------------------------


def test_one_click_brings_back_result_settings_picture_and_mask(studio, image, mask):
    studio.editor.margins = (0, 0, 6, 0)
    drawn = studio.editor.mask
    first = made(studio)
    studio.use_as_input()
    assert same(studio.editor.image, first) and masks.coverage(studio.editor.mask) == 0
    studio.editor.mask = second_mask = masks.box(first, 4, 4, 20, 20)
    studio._take({"task": "text", "prompt": "HI", "seed": 9})
    second = made(studio)

    studio.gallery._handle_custom_msg({"restore": 0}, [])  # as the browser does it
    assert same(studio.result, first) and studio.gallery.shown == 0
    assert (studio.task, studio.prompt, studio.seed) == ("fill", "a ball", 3)
    assert studio.editor.margins == (0, 0, 6, 0) and same(studio.editor.mask, drawn)
    assert same(made(studio), first)
    studio.restore(1)
    assert same(studio.editor.image, first) and same(studio.editor.mask, second_mask)
    assert same(made(studio), second)
    assert len(studio.history) == 4


def test_restoring_starts_nothing_and_ends_what_runs(studio, steps):
    studio.live = True
    studio.wait(SOON)
    first = studio.result
    with steps.held():
        studio.prompt = "a tree"
        steps.reached.wait(SOON)
        studio.restore(0)
    studio.wait(SOON)
    assert same(studio.result, first) and len(studio.history) == 1
    assert studio.prompt == "a ball"


def test_the_history_is_bounded(studio, monkeypatch):
    from onereward_nb.widgets import gallery

    monkeypatch.setattr(gallery, "HISTORY", 2)
    studio.num_inference_steps, studio.pictures = 1, 3
    made(studio)
    assert [edit.settings["seed"] for edit in studio.history] == [4, 5]
    assert len(studio.gallery._thumbnails) == 2 and studio.gallery.shown == 1


# --- run again -----------------------------------------------------------------------------------


def test_the_cell_run_again_gives_the_same_studio(studio, pipe, image, mask):
    made(studio)
    studio.prompt = "changed in the widget"
    again = onr.studio(pipe, image.copy(), mask, live=False, **SETTINGS)
    assert again is studio
    assert again.prompt == "changed in the widget"
    studio.seed = 7
    onr.studio(pipe, image, mask, live=False, **SETTINGS | {"prompt": "changed in the cell"})
    assert (studio.prompt, studio.seed) == ("changed in the cell", 7)
    assert onr.studio(pipe, image.rotate(180)) is not studio
    studio.close()
    assert onr.studio(pipe, image, mask, live=False, **SETTINGS) is not studio


def test_a_closed_studio_ends_its_edit_and_lets_go_of_the_pipeline(image, mask, monkeypatch):
    own = quiet(onr.FluxFillCFGPipeline(**components()))
    transformer = weakref.ref(own.transformer)
    studio = onr.studio(own, image, mask, live=False, **SETTINGS)
    made(studio)
    studio.prompt = ""
    studio.generate()
    with pytest.raises(ValueError, match="needs a prompt"):
        studio.wait(SOON)
    studio.prompt = "a tree"
    studio.generate()
    studio.close()
    studio.wait(SOON)
    assert [edit.settings["prompt"] for edit in studio.history] == ["a ball"]
    assert not module._studios
    with pytest.raises(
        ValueError, match=r"This studio is closed: make a new one with onr.studio\(pipe, image\)"
    ):
        studio.generate()
    del own
    gc.collect()
    assert transformer() is None


def restarted(monkeypatch, *args, **kwargs):
    """As after a restart of the kernel, when only files are left."""
    monkeypatch.setattr(module, "_studios", {})
    return onr.studio(*args, **kwargs)


def test_autosave_outlives_the_kernel(pipe, image, mask, tmp_path, monkeypatch):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path / "kept", live=False, **SETTINGS)
    made(studio)
    studio.editor.mask = None
    studio.use_as_input()
    again = restarted(monkeypatch, pipe, image, mask, autosave=tmp_path / "kept")
    assert same(again.editor.image, studio.result)
    studio.editor.margins = (0, 8, 0, 0)
    again = restarted(monkeypatch, pipe, image, mask, autosave=tmp_path / "kept", live=False, prompt="other")
    assert same(again.result, studio.result) and again.gallery.shown == 0
    assert again.edit.settings == studio.edit.settings
    assert again.prompt == "a ball"
    assert same(again.editor.image, studio.editor.image) and same(again.editor.mask, studio.editor.mask)
    assert again.editor.margins == (0, 8, 0, 0)
    other = restarted(monkeypatch, pipe, image.rotate(180), autosave=tmp_path / "kept")
    assert not other.history and masks.coverage(other.editor.mask) == 0


def test_a_picture_brought_back_is_still_there_after_one_more_restart(
    pipe, image, mask, tmp_path, monkeypatch
):
    first = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    made(first)
    first.use_as_input()
    second = restarted(monkeypatch, pipe, image, autosave=tmp_path)
    assert same(second.editor.image, first.result)
    second.restore(0)
    third = restarted(monkeypatch, pipe, image, autosave=tmp_path)
    assert same(second.editor.image, image) and same(third.editor.image, image)


def test_pictures_of_one_colour_but_two_sizes_have_folders_of_their_own(pipe, tmp_path):
    wide, high = (Image.new("RGB", size, "white") for size in ((64, 32), (32, 64)))
    onr.studio(pipe, wide, autosave=tmp_path, live=False).editor.mask = masks.box(wide, 0, 0, 9, 9)
    other = onr.studio(pipe, high, autosave=tmp_path)
    assert other.error is None and masks.coverage(other.editor.mask) == 0


def test_damaged_files_are_named_and_the_rest_is_taken_up(pipe, image, mask, tmp_path, monkeypatch):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    made(studio), made(studio)
    damaged = studio.history[0].path
    damaged.write_bytes(damaged.read_bytes()[:99])
    again = restarted(monkeypatch, pipe, image, autosave=tmp_path)
    assert same(again.result, studio.result) and len(again.history) == 1
    assert "edit-001.png" in again.gallery.message and again.gallery.wrong


def say(path, **changes):
    """Change what the PNG of a result says of its settings; None leaves one out."""
    said = json.loads(Image.open(path).text[edits.KEY]) | changes
    metadata = PngInfo()
    metadata.add_itxt(
        edits.KEY, json.dumps({name: value for name, value in said.items() if value is not None})
    )
    Image.open(path).save(path, pnginfo=metadata)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "renamed"},
        {"num_inference_steps": 500},
        {"seed": "three"},
        {"prompt": None},
        {"margins": [0, 0]},
        {"margins": [-1, 0, 0, 0]},
        {"margins": ["left", 0, 0, 0]},
    ],
    ids=str,
)
def test_settings_that_no_studio_takes_are_named_and_the_rest_is_taken_up(
    pipe, image, mask, tmp_path, monkeypatch, changes
):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    made(studio), made(studio)
    say(studio.edit.path, **changes)
    again = restarted(monkeypatch, pipe, image, autosave=tmp_path)
    assert [edit.path.name for edit in again.history] == ["edit-001.png"]
    assert same(again.result, studio.result) and same(again.editor.mask, mask)
    assert again.settings == studio.settings
    assert "edit-002.png" in again.gallery.message and again.gallery.wrong


def test_where_no_file_can_be_taken_up_the_first_is_named_and_the_starting_values_stay(
    pipe, image, mask, tmp_path, monkeypatch
):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    made(studio), made(studio)
    for edit in studio.history:
        say(edit.path, prompt="another", num_inference_steps=500)
    (studio.edit.path.parent / "mask.png").write_bytes(b"damaged")
    again = restarted(monkeypatch, pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    assert not again.history and again.settings == studio.settings and same(again.editor.mask, mask)
    assert "edit-001.png" in again.gallery.message and "500" in again.gallery.message


def test_a_file_changes_nothing_but_settings(pipe, image, mask, tmp_path, monkeypatch):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    made(studio)
    say(studio.edit.path, _pipe="another", **{"steps=1); print": 1})
    again = restarted(monkeypatch, pipe, image, autosave=tmp_path)
    assert again._pipe is pipe and again.error is None
    assert again.edit.settings == studio.settings
    again.export()
    assert "print" not in again.code.value


def test_a_result_on_show_is_saved_already(pipe, image, mask, tmp_path):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)
    found = []
    studio.gallery.observe(
        lambda change: found.append(studio.edit.path and studio.edit.path.exists()), "shown"
    )
    made(studio)
    assert found == [True]


def test_a_full_disk_loses_no_result(pipe, image, mask, tmp_path, monkeypatch):
    studio = onr.studio(pipe, image, mask, autosave=tmp_path, live=False, **SETTINGS)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    studio.generate()
    with pytest.raises(OSError, match="could not be saved"):
        studio.wait(SOON)
    assert studio.result is not None
    assert "No space left" in studio.gallery.message
    studio.gallery.say("")
    studio.editor.mask = masks.grow(mask, 1)
    assert "No space left" in studio.gallery.message


def test_autosave_rests_while_outputs_are_stored(pipe, image, mask, tmp_path, monkeypatch):
    monkeypatch.setenv("ONEREWARD_NB_FROZEN", "1")
    made(onr.studio(pipe, image, mask, autosave=tmp_path / "kept", **SETTINGS))
    assert not (tmp_path / "kept").exists()


# --- export --------------------------------------------------------------------------------------


def test_exported_files_hold_everything(studio, image, mask, tmp_path):
    studio.prompt = 'a "ball" — ünder\nthe sun'
    result = made(studio)
    path = studio.export()
    assert path.as_posix() == "studio/edit-001.png" and path.as_posix() in studio.gallery.message
    assert sorted(file.name for file in (tmp_path / "studio").iterdir()) == [
        "edit-001-input.png",
        "edit-001-mask.png",
        "edit-001.png",
    ]
    said = json.loads(Image.open(path).text["onereward_nb"])
    assert said == studio.edit.settings | {"margins": [0, 0, 0, 0]}
    back = edits.load(path)
    assert same(back.result, result) and same(back.image, image) and same(back.mask, mask)
    assert back.settings == studio.edit.settings

    assert studio.export() == path  # the same again
    made(studio)
    assert studio.export().name == "edit-002.png"
    with pytest.raises(ValueError, match=r"holds no settings of an edit"):
        edits.load("studio/edit-001-mask.png")


@pytest.mark.parametrize("margins", [(0, 0, 0, 0), (0, 5, 8, 0)])
def test_the_code_makes_the_same_picture(studio, pipe, margins):
    studio.editor.margins = margins
    studio.prompt = 'a "ball" — ünder\nthe sun'
    result = made(studio)
    studio.export()
    names = {"pipe": pipe}
    *before, call = studio.code.value.split("\n\n")
    exec("\n\n".join(before), names)
    assert same(eval(call, names), result)
    assert studio.code.layout.display != "none"


# --- without a browser ---------------------------------------------------------------------------


def test_it_shows_a_described_picture_beside_the_widget(studio):
    data, metadata = studio._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == studio.model_id
    assert metadata["image/png"]["alt"].startswith("A picture of 50 x 40 pixels, ")
    assert data["text/plain"] == repr(studio)
    assert repr(studio).startswith("Studio with 0 results and a MaskEditor of 50 x 40 pixels")
    made(studio)
    data, metadata = studio._repr_mimebundle_()
    assert metadata["image/png"]["alt"].endswith('masked; fill "a ball", seed 3')
    assert Image.open(io.BytesIO(data["image/png"])).width <= 800


def test_every_control_explains_itself(studio):
    for control in [*studio.fields.values(), *studio.buttons.values(), studio.code]:
        explained = control.tooltip if control.has_trait("tooltip") else control.description_tooltip
        assert control.description and explained


def test_on_the_trained_model(postcard):
    example = onr.postcards.example("fill", seed=3, size=postcard.default_size)
    studio = onr.studio(postcard, example.image, example.mask, prompt=example.prompt, num_inference_steps=4)
    result = made(studio)
    kept = np.asarray(example.mask) == 0
    np.testing.assert_array_equal(np.asarray(result)[kept], np.asarray(example.image)[kept])
