"""Running, storing, checking and comparing notebooks, each proved on small good and bad ones."""

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from onereward_nb import notebooks
from onereward_nb.__main__ import main

ROOT = Path(__file__).parents[1]

SCENE = """\
from PIL import Image
from onereward_nb.plots import grid
scene = Image.new("RGB", (128, 128), (90, 160, {blue}))
scene.paste({ball}, ({left}, 50, {left} + 32, 82))
grid(scene)"""
GOOD = [
    "import os; print('frozen', os.environ['ONEREWARD_NB_FROZEN'])",
    SCENE.format(blue=60, ball=(200, 30, 30), left=40),
]


def write(path, *sources, text="Some words."):
    """A notebook that has not been run."""
    cells = [new_markdown_cell(text), *map(new_code_cell, sources)]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small notebook, run and stored once; copy it, don't change it."""
    path = write(tmp_path_factory.mktemp("good") / "good.ipynb", *GOOD)
    notebooks.store(path)
    return path


@pytest.fixture
def spoilt(good, tmp_path):
    """A function that changes a copy of the good notebook and returns the words of its problems."""

    def problems(change):
        path = shutil.copy(good, tmp_path / "spoilt.ipynb")
        notebook = nbformat.read(path, as_version=4)
        change(notebook)
        nbformat.write(notebook, path)
        return [str(problem) for problem in notebooks.check([path])]

    return problems


# --- running and storing


def test_storing_keeps_nothing_of_the_machine(good):
    notebook = nbformat.read(good, as_version=4)
    first, second = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [first.execution_count, second.execution_count] == [1, 2]
    assert first.outputs[0].text == "frozen 1\n"
    assert set(second.outputs[0].data) == {"image/png", "text/plain"}
    assert notebook.metadata == notebooks.NOTEBOOK_METADATA
    assert not any(cell.metadata for cell in notebook.cells)
    assert notebooks.check([good]) == []


def test_storing_again_changes_no_byte(good, tmp_path):
    again = Path(shutil.copy(good, tmp_path))
    notebooks.store(again)
    assert again.read_bytes() == good.read_bytes()


def test_a_failing_cell_is_named_and_the_file_left_alone(tmp_path, capsys):
    path = write(tmp_path / "broken.ipynb", "x = 1", "1 / 0")
    before = path.read_bytes()
    assert main(["notebooks", str(path)]) == 1
    said = capsys.readouterr().out
    assert 'broken.ipynb, cell [2] "1 / 0" raised an error' in said
    assert "ZeroDivisionError" in said
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_widget_views_are_not_stored(tmp_path):
    path = write(tmp_path / "widget.ipynb", "import ipywidgets; ipywidgets.IntSlider()")
    notebooks.store(path)
    assert notebooks.WIDGET_VIEW not in path.read_text()
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


# --- finding


def test_notebooks_are_found_in_the_order_of_their_names(tmp_path):
    for name in ("01_b.ipynb", "00_a.ipynb", ".ipynb_checkpoints/00_a-checkpoint.ipynb"):
        write(tmp_path / name)
    assert [path.name for path in notebooks.find([tmp_path])] == ["00_a.ipynb", "01_b.ipynb"]


def test_a_path_that_does_not_exist_is_named():
    with pytest.raises(FileNotFoundError, match=r"no notebook or folder 'nowhere\.ipynb'"):
        notebooks.find(["nowhere.ipynb"])


def test_a_folder_without_notebooks_is_named_and_passes_no_check(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["notebooks", "--check", str(tmp_path)])
    assert stop.value.code == 2
    assert f"There are no notebooks in {tmp_path}: check the path." in capsys.readouterr().err


# --- checking what is stored


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def stream(name, text):
    return new_output("stream", name=name, text=text)


def no_output(notebook):
    code(notebook)[1].update(outputs=[], execution_count=None)


def out_of_order(notebook):
    code(notebook)[0].execution_count = 7


def error(notebook):
    code(notebook)[0].outputs = [new_output("error", ename="KeyError", evalue="'x'", traceback=[])]


def warning(notebook):
    code(notebook)[0].outputs = [stream("stderr", "UserWarning: slow\n")]


def widget_state(notebook):
    notebook.metadata["widgets"] = {}


def widget_view(notebook):
    data = {notebooks.WIDGET_VIEW: {"model_id": "1"}, "text/plain": "Editor"}
    code(notebook)[0].outputs = [new_output("display_data", data)]


def absolute_path(notebook):
    code(notebook)[0].outputs = [stream("stdout", "saved to /home/ada/out.png\n")]


def windows_path(notebook):
    code(notebook)[0].outputs = [stream("stdout", "saved to C:\\Users\\ada\n")]


def machine_name(notebook):
    code(notebook)[0].outputs = [stream("stdout", "on ada-laptop-7 now\n")]


def oversized(notebook):
    code(notebook)[0].outputs = [stream("stdout", "x" * 400_000)]


def long_cell(notebook):
    code(notebook)[0].source = "\n".join(["x = 1"] * 17)


def undescribed_picture(notebook):
    code(notebook)[1].outputs[0].metadata = {}


def undescribed_markdown_picture(notebook):
    notebook.cells[0].source = "![](house.png)"


def drifted_number(notebook):
    notebook.cells[0].source = "The value is 2."


def ignored_output(notebook):
    code(notebook)[0].metadata["tags"] = ["nbval-ignore-output"]


def ignored_by_comment(notebook):
    code(notebook)[0].source = "# NBVAL_SKIP\nx = 1"


def text(notebook, *sources):
    """Put these texts in place of the notebook's own."""
    notebook.cells[:1] = map(new_markdown_cell, sources)


def skipped_section(notebook):
    text(notebook, "## 1. Before", "## 2. Now", "## 4. After", "## 5. Later")


def repeated_section(notebook):
    text(notebook, "## 1. Before\n\n## 1. Now")


def late_first_section(notebook):
    text(notebook, "# Title\n\n## 2. Now")


def unknown_section(notebook):
    text(notebook, "## 1. Before\n\nSection 2 says more.")


def unknown_section_among_others(notebook):
    text(notebook, "## 1. Before\n\nSee sections 1 and 3.")


def self_check(notebook):
    """Exercises in the code cells, with no words about them."""
    code(notebook)[0].source = "from onereward_nb.exercises.edits import check_edit\n\ncheck_edit(1, 2)"
    code(notebook)[1].source = "solved = check_edit(3, 4)"


def exercises_heading_only(notebook):
    self_check(notebook)
    code(notebook)[1].source = "x = 1"
    text(notebook, "## Exercises")


def second_exercise_without_heading(notebook):
    self_check(notebook)
    text(notebook, "### Exercise 1: an edit")


def heading_in_a_code_block(notebook):
    second_exercise_without_heading(notebook)
    notebook.cells.insert(2, new_markdown_cell("```python\n# Exercise 2\n```"))


@pytest.mark.parametrize(
    "change, expected",
    [
        (no_output, 'spoilt.ipynb, cell [2] "from PIL import Image": not run'),
        (out_of_order, "run as [7], expected [1]"),
        (error, "stored with an error, KeyError"),
        (warning, "writes to stderr, 'UserWarning: slow'"),
        (widget_state, "spoilt.ipynb, metadata: holds widget state"),
        (widget_view, "holds a widget's view"),
        (absolute_path, "prints the absolute path /home/ada/out.png"),
        (windows_path, "prints the absolute path C:\\Users\\ada"),
        (machine_name, "prints the name of this machine"),
        (oversized, "KB, more than 400"),
        (long_cell, "17 lines, more than 16"),
        (undescribed_picture, "shows a picture without alternative text"),
        (undescribed_markdown_picture, 'text "![](house.png)": a picture without alternative text'),
        (drifted_number, 'text "The value is 2.": the number 2 stands in no checked output'),
        (skipped_section, 'text "## 4. After": heading 4, expected 3: a section is missing or moved'),
        (repeated_section, "heading 1, expected 2"),
        (late_first_section, "heading 2, expected 1"),
        (unknown_section, "mentions section 2, and no heading has this number"),
        (unknown_section_among_others, "mentions section 3"),
        (
            exercises_heading_only,
            'cell [1] "from onereward_nb.exercises.edits import": calls check_edit under no',
        ),
        (
            second_exercise_without_heading,
            'cell [2] "solved = check_edit(3, 4)": calls check_edit under no heading',
        ),
        (heading_in_a_code_block, "calls check_edit under no heading"),
        (ignored_output, "nbval ignores or skips 1 of 2 code cells"),
        (ignored_by_comment, "nbval ignores or skips 1 of 2 code cells"),
    ],
)
def test_each_problem_is_found_for_its_own_reason(spoilt, monkeypatch, change, expected):
    monkeypatch.setattr("socket.gethostname", lambda: "ada-laptop-7")
    problems = spoilt(change)
    assert len(problems) == 1
    assert expected in problems[0]


def test_an_expected_error_is_no_problem(spoilt):
    def tagged(notebook):
        error(notebook)
        code(notebook)[0].metadata["tags"] = ["raises-exception"]

    assert spoilt(tagged) == []


def test_links_and_fractions_are_no_paths(spoilt):
    def harmless(notebook):
        code(notebook)[0].outputs = [
            stream("stdout", "see https://arxiv.org/abs/2508.21066, 3/4, and/or assets/a/b\n")
        ]

    assert spoilt(harmless) == []


def test_sections_that_exist_or_stand_elsewhere_are_no_problem(spoilt):
    def harmless(notebook):
        text(
            notebook,
            "# Title\n\n## Set up\n\n## 1. Before\n\nSection 2, sections 1 and 2 and sections 1 to 3 come later.",
            "## 2. Now\n\nSee notebook 09, section 8, section 8 of notebook 09, and the paper's section 5.2.",
            "```python\n# 7. a comment\n```\n\n### Within\n\n## 3. After",
        )

    assert spoilt(harmless) == []


def test_self_checks_under_their_headings_are_no_problem(spoilt):
    def harmless(notebook):
        self_check(notebook)
        notebook.cells.insert(2, new_markdown_cell("### Exercise 2: another"))
        text(notebook, "## Exercises\n\n### Exercise 1: an edit")

    assert spoilt(harmless) == []


def test_the_command_tells_problems_by_its_status(good, tmp_path, capsys):
    assert main(["notebooks", "--check", str(good)]) == 0
    assert "1 notebooks checked, no problems" in capsys.readouterr().out
    assert main(["notebooks", "--check", str(write(tmp_path / "new.ipynb", "x = 1"))]) == 1
    assert "not run" in capsys.readouterr().out


# --- comparing with nbval, under the project's own settings


@pytest.fixture(scope="module")
def compared(good, tmp_path_factory):
    """What pytest says of cells whose outputs are those of the good notebook: {what was changed: why it fails, or ""}."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    notebook = nbformat.read(good, as_version=4)
    words, picture = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    changed = {
        "same_text": (words, GOOD[0]),
        "wrong_text": (words, "print('frozen 2')"),
        "raises": (words, "1 / 0"),
        "same_picture": (picture, GOOD[1]),
        "close_picture": (picture, SCENE.format(blue=62, ball=(203, 33, 28), left=40)),
        "close_ball": (picture, SCENE.format(blue=60, ball=(200, 30, 30), left=43)),
        "moved_ball": (picture, SCENE.format(blue=60, ball=(200, 30, 30), left=70)),
        "wrong_ball": (picture, SCENE.format(blue=60, ball=(30, 30, 200), left=40)),
        "wrong_tint": (picture, SCENE.format(blue=75, ball=(200, 30, 30), left=40)),
        "wrong_size": (picture, GOOD[1] + ".image.resize((99, 99))"),
        "no_picture": (picture, "x = 1"),
    }
    # cells of one notebook, for a kernel takes long to start
    notebook.cells = [
        new_code_cell(source, outputs=outputs, execution_count=1) for outputs, source in changed.values()
    ]
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / "changed.ipynb")
    command = ["pytest", "--numprocesses=0", "--color=no", "--junitxml=report.xml", "-p", "no:cacheprovider"]
    subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True)
    said = {
        case.get("name"): "".join(case.itertext())
        for case in ElementTree.parse(folder / "report.xml").iter("testcase")
    }
    return {name: said[f"Cell {number}"] for number, name in enumerate(changed)}


@pytest.mark.parametrize("name", ["same_text", "same_picture", "close_picture", "close_ball"])
def test_equal_and_nearly_equal_outputs_pass(compared, name):
    assert compared[name] == ""


@pytest.mark.parametrize(
    "name, expected",
    [
        ("wrong_text", "mismatch 'stdout'"),
        ("wrong_ball", "pictures differ: the colours around (96, 112) differ by 170 levels"),
        ("moved_ball", "levels of 255, more than 24"),
        ("wrong_tint", "levels of 255 on average, more than 2"),
        ("wrong_size", "pixels stored, picture of 99 x 99 pixels now"),
        ("no_picture", "Missing output fields"),
        ("raises", "ZeroDivisionError"),
    ],
)
def test_each_difference_fails_for_its_own_reason(compared, name, expected):
    assert expected in compared[name]
