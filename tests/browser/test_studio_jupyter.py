"""The studio in JupyterLab, with a real kernel and a tiny model that can be slowed down."""

import json
from pathlib import Path

import pytest
from drawing import Surface

WAIT = 30_000  # milliseconds; longer than anything takes on a busy machine
PIPE = f"""import json, sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import torch
import onereward_nb as onr
from onereward_nb import masks
from onereward_nb.stand_in import components
from tiny import quiet
torch.set_num_threads(1)
pipe = quiet(onr.FluxFillCFGPipeline(**components()))
forward, pause = pipe.transformer.forward, 0
def paced(*args, **kwargs):
    time.sleep(pause)
    return forward(*args, **kwargs)
pipe.transformer.forward = paced
image = onr.postcards.example("fill", seed=3, size=64).image"""
SHOW = """studio = onr.studio(pipe, image, live=False, num_inference_steps=10)
studio"""
FACTS = """print(json.dumps({
    "prompts": [edit.settings["prompt"] for edit in studio.history],
    "prompt": studio.prompt, "message": studio.gallery.message,
    "share": masks.coverage(studio.editor.mask), "box": masks.bounding_box(studio.editor.mask),
    "size": studio.result and studio.result.size,
}))"""


class Studio:
    """The studio's one view on the page."""

    def __init__(self, notebook):
        self.notebook, self.page = notebook, notebook.page
        self.show()

    def show(self):
        self.notebook.run(1)
        self.surface = Surface(self.page)
        self.page.wait_for_selector(".onr-gallery[data-shown]", timeout=WAIT)

    def stroke(self, *points):
        with self.surface.synced():
            self.surface.drag(*points)

    def press(self, name):
        self.page.get_by_role("button", name=name).click()

    def say(self, prompt):
        self.page.get_by_label("Prompt", exact=True).fill(prompt)
        self.page.keyboard.press("Tab")

    def wait(self, **facts):
        """Wait until the gallery shows these facts: shown=0 for the first result, running="false"."""
        self.page.wait_for_function(
            "facts => Object.entries(facts).every(([name, value]) => "
            "document.querySelector('.onr-gallery').dataset[name] === String(value))",
            arg=facts,
            timeout=WAIT,
        )

    def facts(self):
        return json.loads(self.notebook.run(2))

    def message(self):
        return self.page.locator(".onr-words").inner_text()


@pytest.fixture(scope="module")
def notebook(jupyter):
    notebook = jupyter("studio.ipynb", [PIPE, SHOW, FACTS, "pause = 0", "pause = 0.1"])
    notebook.run(0)
    return notebook


@pytest.fixture(scope="module")
def studio(notebook):
    return Studio(notebook)


def fast(notebook):
    notebook.run(3)


def slow(notebook):
    notebook.run(4)


def test_from_stroke_to_result(studio, notebook):
    slow(notebook)
    studio.stroke((10, 10), (40, 10), (40, 40))
    studio.say("a ball")
    studio.press("Generate")
    studio.wait(running="true")
    studio.page.wait_for_selector(".onr-forming[src]", timeout=WAIT)
    studio.wait(running="false", shown=0)
    found = studio.facts()
    assert (found["prompts"], found["size"]) == (["a ball"], [64, 64])
    assert 'fill "a ball", seed 0, in ' in studio.message()
    assert studio.page.locator(".onr-forming").is_hidden()
    picture, handle = (
        studio.page.locator(name).bounding_box()
        for name in (".onr-result .onr-after", ".onr-result .onr-handle")
    )
    assert handle["height"] == picture["height"] > 200
    assert handle["x"] - picture["x"] < 2  # all of the result is seen at first


def test_cancel(studio, notebook):
    slow(notebook)
    studio.press("Generate")
    studio.wait(running="true")
    studio.press("Cancel")
    studio.wait(running="false", shown=0)
    assert studio.message() == "Cancelled."
    assert len(studio.facts()["prompts"]) == 1


def test_mistakes_show_in_words(studio, notebook):
    fast(notebook)
    studio.say("")
    studio.press("Generate")
    studio.page.wait_for_selector(".onr-words.onr-wrong", timeout=WAIT)
    assert "needs a prompt" in studio.message()
    studio.say("a ball")


def test_live_a_newer_stroke_replaces_the_edit_that_runs(studio, notebook):
    fast(notebook)
    studio.press("Live")
    studio.wait(shown=1)
    studio.page.locator(".onr-result input[type=range]").press("End")
    slow(notebook)
    studio.stroke((10, 50), (30, 50))
    studio.wait(running="true")
    studio.stroke((40, 50), (60, 50))
    studio.wait(shown=2, running="false")
    fast(notebook)
    studio.say("a tree")
    studio.wait(shown=3, running="false")
    assert studio.facts()["prompts"] == ["a ball", "a ball", "a ball", "a tree"]
    assert (
        studio.page.locator(".onr-result form").evaluate("form => form.style.getPropertyValue('--at')")
        == "100%"
    )
    studio.press("Live")


def test_one_click_restores(studio):
    now = studio.facts()
    with studio.surface.synced():
        studio.page.get_by_role("button", name="Back to").last.click()
    studio.wait(shown=0)
    found = studio.facts()
    assert found["prompt"] == "a ball" and now["prompt"] == "a tree"
    assert found["share"] < now["share"]
    assert studio.page.get_by_label("Prompt", exact=True).input_value() == "a ball"


def test_the_cell_run_again_shows_everything_again(studio):
    before = studio.facts()
    studio.show()
    assert studio.facts() == before
    studio.wait(shown=0)
    assert studio.page.get_by_role("button", name="Back to").count() == 4


def test_by_keyboard(studio, notebook):
    fast(notebook)
    sources = notebook.sources()
    studio.page.get_by_label("Prompt", exact=True).focus()
    for name in ("Prompt", "Generate"):
        assert studio.page.evaluate(
            "() => document.activeElement.innerText.trim() || document.activeElement.labels[0].innerText"
        ).endswith(name)
        studio.page.keyboard.press("Tab")
    studio.page.keyboard.press("Shift+Tab")
    studio.page.keyboard.press("Enter")
    studio.wait(shown=4, running="false")
    studio.surface.keys("b", "d", "d", "x")
    assert notebook.sources() == sources
    studio.page.keyboard.press("Escape")
    studio.surface.keys("b")
    studio.page.wait_for_function(
        "count => notebook.content.widgets.length === count", arg=len(sources) + 1, timeout=WAIT
    )
