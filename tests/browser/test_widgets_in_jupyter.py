"""Editor, studio and viewers in JupyterLab, the editor in Notebook 7 too, with real kernels.

In one file, so that one server and what the browser has loaded from it do for all.
"""

import json

import pytest
import studio_page
from drawing import Surface
from studio_page import Studio
from viewing import across, divider, frame

# --- the editor ------------------------------------------------------------------------------------

MAKE = """import json
from PIL import Image
import onereward_nb as onr
from onereward_nb import masks
image = Image.new("RGB", (128, 96), (60, 90, 120))
editor = onr.MaskEditor(image, autosave="{name}.png", brush_size=10)
editor"""
READ = """print(json.dumps({
    "box": masks.bounding_box(editor.mask), "share": masks.coverage(editor.mask),
    "size": editor.image.size, "margins": editor.margins, "as text": editor._png_text,
}))"""
SET = "editor.mask = masks.box(image, 10, 20, 50, 60)"
SHOWN, FACTS, GIVEN = range(3)


def facts(notebook):
    found = json.loads(notebook.run(FACTS))
    assert not found.pop("as text")  # masks come as binary messages here
    return found


@pytest.fixture(scope="module")
def lab(jupyter):
    return jupyter("lab.ipynb", [MAKE.format(name="lab"), READ, SET, "", "a = 1"])


def shown(notebook):
    notebook.run(SHOWN)
    return Surface(notebook.page)


def near(box, expected):
    return all(abs(a - b) <= 1 for a, b in zip(box, expected, strict=True))


def test_drawing_in_jupyterlab_and_reading_in_the_next_cell(lab):
    surface = shown(lab)
    with surface.synced():
        surface.drag((20, 20), (60, 20), (60, 70))
    assert near(facts(lab)["box"], (15, 15, 65, 75))
    with surface.synced():
        surface.command("Eraser")
        surface.drag((0, 70), (128, 70))
    assert near(facts(lab)["box"], (15, 15, 65, 65))
    with surface.synced():
        surface.command("Lasso")
        surface.keys("x")
        surface.drag((70, 30), (110, 30), (110, 80), (70, 80))
    drawn = facts(lab)
    assert near(drawn["box"], (15, 15, 110, 80))
    for key, box in [("Control+z", (15, 15, 65, 65)), ("Control+Shift+z", (15, 15, 110, 80))]:
        with surface.synced():
            surface.canvas.focus()
            surface.page.locator(".onr-editor").focus()
            surface.keys(key)
        assert near(facts(lab)["box"], box)
    with surface.synced():
        surface.command("Grow")
    assert near(facts(lab)["box"], (14, 14, 111, 81))
    with surface.synced():
        surface.command("Invert")
    assert facts(lab)["share"] == pytest.approx(1 - drawn["share"], abs=0.06)


def test_extending_by_a_handle(lab):
    surface = shown(lab)
    with surface.synced():
        surface.command("Clear")
    with surface.synced():
        box = surface.page.get_by_label("Extend on the right").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        scale = surface.scale
        surface.page.mouse.move(x, y)
        surface.page.mouse.down()
        surface.page.mouse.move(x + 32 * scale, y)
        surface.page.mouse.up()
    found = facts(lab)
    assert found["size"] == [160, 96]
    assert found["margins"] == [0, 0, 32, 0]
    assert found["box"] == [128, 0, 160, 96]
    with surface.synced():
        surface.page.get_by_label("Extend the canvas").select_option("back to the picture")


def test_python_sets_the_mask_and_the_browser_goes_on_from_it(lab):
    surface = shown(lab)
    with surface.synced():
        lab.run(GIVEN)
    with surface.synced():
        surface.command("Invert")
    assert facts(lab)["share"] == pytest.approx(1 - 40 * 40 / (128 * 96))


def test_the_mask_outlives_the_cell_and_the_kernel(lab):
    surface = shown(lab)
    with surface.synced():
        surface.command("Clear")
    with surface.synced():
        surface.command("Rectangle")
        surface.drag((30.5, 40.5), (69.5, 79.5))
    surface = shown(lab)  # run again
    assert facts(lab)["box"] == [30, 40, 70, 80]
    lab.restart()
    surface = shown(lab)
    assert facts(lab)["box"] == [30, 40, 70, 80]
    with surface.synced():
        surface.command("Invert")
    assert facts(lab)["share"] == pytest.approx(1 - 40 * 40 / (128 * 96))


KEYS_OF_THE_NOTEBOOK = ("b", "a", "x", "x", "d", "d", "Shift+M", "z", "y", "0", "0")


def test_keys_do_not_reach_the_notebook(lab):
    surface = shown(lab)
    sources = lab.sources()
    surface.click(5, 5)
    assert surface.page.evaluate("() => document.activeElement.className") == "onr-editor"
    surface.keys(*KEYS_OF_THE_NOTEBOOK)
    assert lab.sources() == sources
    with surface.synced():
        surface.command("Invert")
        surface.keys(*KEYS_OF_THE_NOTEBOOK)
    surface.page.wait_for_function("() => notebook.content.mode === 'command'")
    surface.keys("Escape", "b")  # given back: the notebook makes a new cell
    surface.page.wait_for_function("count => notebook.content.widgets.length === count", arg=len(sources) + 1)


def test_light_and_dark(lab):
    surface = shown(lab)
    paper = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        # Its own colours are those of the theme.
        paper[theme], page = surface.page.evaluate(
            """() => [".onr-editor", ".jp-Notebook"].map((each) => getComputedStyle(document.querySelector(each)))
                .map(({ backgroundColor }) => Number(backgroundColor.match(/[0-9]+/)[0]))"""
        )
        assert abs(paper[theme] - page) < 30
    assert paper["JupyterLab Dark"] < 80 < 180 < paper["JupyterLab Light"]


def test_notebook_7(jupyter):
    notebook = jupyter("seven.ipynb", [MAKE.format(name="seven"), READ, SET], "notebooks")
    surface = shown(notebook)
    with surface.synced():
        surface.drag((20, 20), (60, 20), (60, 70))
    assert near(facts(notebook)["box"], (15, 15, 65, 75))
    surface.click(120, 90)
    surface.keys(*KEYS_OF_THE_NOTEBOOK)
    assert len(notebook.sources()) == 3
    with surface.synced():
        notebook.run(GIVEN)
    with surface.synced():
        surface.command("Invert")
    assert facts(notebook)["share"] == pytest.approx(1 - 40 * 40 / (128 * 96))


# --- the studio ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def studio(jupyter):
    notebook = jupyter("studio.ipynb", studio_page.CELLS)
    notebook.run(0)
    return Studio(notebook)


def test_studio_from_stroke_to_result(studio):
    studio.slow()
    studio.stroke((10, 10), (40, 10), (40, 40))
    studio.say("a ball")
    studio.press("Generate")
    studio.wait(running="true")
    studio.page.wait_for_selector(".onr-forming[src]", timeout=studio_page.WAIT)
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


def test_studio_cancels(studio):
    studio.slow()
    studio.press("Generate")
    studio.wait(running="true")
    studio.press("Cancel")
    studio.wait(running="false", shown=0)
    assert studio.message() == "Cancelled."
    assert len(studio.facts()["prompts"]) == 1


def test_studio_shows_mistakes_in_words(studio):
    studio.fast()
    studio.say("")
    studio.press("Generate")
    studio.page.wait_for_selector(".onr-words.onr-wrong", timeout=studio_page.WAIT)
    assert "needs a prompt" in studio.message()
    studio.say("a ball")


def test_studio_live_a_newer_stroke_replaces_the_edit_that_runs(studio):
    studio.fast()
    studio.press("Live")
    studio.wait(shown=1)
    studio.page.locator(".onr-result input[type=range]").press("End")
    studio.slow()
    studio.stroke((10, 50), (30, 50))
    studio.wait(running="true")
    studio.stroke((40, 50), (60, 50))
    studio.wait(shown=2, running="false")
    studio.fast()
    studio.say("a tree")
    studio.wait(shown=3, running="false")
    assert studio.facts()["prompts"] == ["a ball", "a ball", "a ball", "a tree"]
    assert (
        studio.page.locator(".onr-result form").evaluate("form => form.style.getPropertyValue('--at')")
        == "100%"
    )
    studio.press("Live")


def test_studio_restores_by_one_click(studio):
    now = studio.facts()
    with studio.surface.synced():
        studio.page.get_by_role("button", name="Back to").last.click()
    studio.wait(shown=0)
    found = studio.facts()
    assert found["prompt"] == "a ball" and now["prompt"] == "a tree"
    assert found["share"] < now["share"]
    assert studio.page.get_by_label("Prompt", exact=True).input_value() == "a ball"


def test_studio_of_a_cell_run_again_shows_everything_again(studio):
    before = studio.facts()
    studio.show()
    assert studio.facts() == before
    studio.wait(shown=0)
    assert studio.page.get_by_role("button", name="Back to").count() == 4


def test_studio_by_keyboard(studio):
    studio.fast()
    sources = studio.notebook.sources()
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
    assert studio.notebook.sources() == sources
    studio.page.keyboard.press("Escape")
    studio.surface.keys("b")
    studio.page.wait_for_function(
        "count => notebook.content.widgets.length === count", arg=len(sources) + 1, timeout=studio_page.WAIT
    )


# --- slider and player -------------------------------------------------------------------------------

VIEWERS = [
    """from PIL import Image
import onereward_nb as onr
red, green, blue = (Image.new("RGB", (128, 128), colour) for colour in ("red", "green", "blue"))""",
    "onr.compare(red, green, blue)",
    "onr.player([red, green, blue])",
]


@pytest.fixture(scope="module")
def viewers(jupyter):
    """A page with both."""
    notebook = jupyter("viewers.ipynb", VIEWERS)
    for index in range(len(VIEWERS)):
        notebook.run(index)
    yield notebook.page
    notebook.page.close()


def test_keys_go_to_what_has_the_focus(viewers):
    assert across(viewers, 0.25, 0.75) == ["red", "green"]
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "b"):  # which would select cells and insert one
        divider(viewers).press(key)
    assert float(divider(viewers).input_value()) == 49
    viewers.locator(".onr-player").get_by_role("button", name="Play").press(
        "ArrowLeft"
    )  # after it has played
    assert frame(viewers) == ("step 2", 0)
    assert viewers.locator(".jp-CodeCell").count() == len(VIEWERS)


def test_pictures_stand_in_a_row_while_a_notebook_is_not_trusted(viewers):
    viewers.evaluate("""async () => {
        const content = notebook.content.model.toJSON();
        content.cells[0].source += "  # from somebody else";
        content.cells.forEach((cell) => delete cell.metadata.trusted);
        const file = { type: "notebook", format: "json", content };
        await jupyterapp.serviceManager.contents.save("untrusted.ipynb", file);
    }""")
    viewers.goto(viewers.url.replace("viewers.ipynb", "untrusted.ipynb?reset"))
    viewers.get_by_text("run the cell to get the slider").wait_for()
    boxes = [image.bounding_box() for image in viewers.locator(".onr-compare img").all()]
    assert [box["width"] for box in boxes] == [192] * 3
    assert len({box["y"] for box in boxes}) == 1
    assert not viewers.locator(".onr-page :is(input, button):visible").count()
