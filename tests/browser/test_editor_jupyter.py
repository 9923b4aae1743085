"""The editor in JupyterLab and in Notebook 7, with a real kernel."""

import json

import pytest
from drawing import Surface

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
