"""Run the notebooks and store their outputs; check what is stored.

    python -m onereward_nb notebooks [paths]           # run and store
    python -m onereward_nb notebooks --check [paths]   # check only

Each notebook runs in a kernel of its own, under `environment.FROZEN`, so that the same outputs come out
everywhere.
"""

import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

from . import prose, publishing, sections
from .environment import FROZEN, ROOT
from .files import write

CELL_SECONDS = 300  # as in pyproject.toml, for pytest
NOTEBOOK_SECONDS = 90
NOTEBOOK_KB = 400
CELL_LINES = 16
UNCHECKED_SHARE = 0.03  # of all code cells

KEPT_CELL_METADATA = {"tags", "jupyter", "slideshow"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Tags, or comments, that make nbval run a cell without comparing its output, or not run it at all.
UNCHECKED_TAGS = {"nbval-ignore-output", "nbval-skip"}
UNCHECKED_COMMENTS = re.compile(r"^\s*#+\s*(NBVAL|PYTEST_VALIDATE)_(IGNORE_OUTPUT|SKIP)\s*$", re.M)

ABSOLUTE_PATH = re.compile(r"(?<![\w.:/<])/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Za-z]:\\[\w\\.]+")
PICTURE_WITHOUT_ALT = re.compile(r"!\[\s*\]\(")


class NotebookFailed(Exception):
    """A cell raised an error, took too long or killed the kernel. The message names notebook and cell."""


@dataclass(frozen=True)
class Problem:
    """Something wrong in a notebook: where, and what to do about it."""

    notebook: str
    place: str
    what: str

    def __str__(self):
        return f"{self.notebook}, {self.place}: {self.what}"


def find(paths=()):
    """The notebooks at `paths` (files or folders), or all of the collection, in the order of their names."""
    places, found = [Path(path) for path in paths] or [ROOT / "notebooks"], []
    for place in places:
        if paths and not (place.is_dir() or (place.suffix == ".ipynb" and place.exists())):
            raise FileNotFoundError(f"There is no notebook or folder {str(place)!r}: check the path.")
        found += place.rglob("*.ipynb") if place.suffix != ".ipynb" else [place]
    found = sorted(file for file in found if ".ipynb_checkpoints" not in file.parts)
    if not found:
        raise FileNotFoundError(f"There are no notebooks in {', '.join(map(str, places))}: check the path.")
    return found


def store(path):
    """Run a notebook from top to bottom in a fresh kernel and store its outputs. Returns the seconds it took.

    Nothing is written before every cell has passed; then the file is replaced at once. Raises NotebookFailed.
    """
    path = Path(path)
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    _run(notebook, path)
    seconds = time.perf_counter() - began
    _strip(notebook)
    write(path, lambda temporary: nbformat.write(notebook, temporary))
    return seconds


def check(paths):
    """All problems of the stored notebooks at `paths`, as a list of `Problem`."""
    notebooks = {Path(path): nbformat.read(path, as_version=4) for path in paths}
    found = [problem for path, notebook in notebooks.items() for problem in _problems(path, notebook)]
    return found + _too_many_unchecked(notebooks)


def unchecked(cell):
    """True for a code cell whose output nbval does not compare."""
    return bool(UNCHECKED_TAGS & _tags(cell)) or bool(UNCHECKED_COMMENTS.search(cell.source))


def _run(notebook, path):
    import nbclient

    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with client.setup_kernel(env=os.environ | FROZEN):
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except nbclient.exceptions.CellExecutionError as error:
                raise NotebookFailed(
                    f"{path.name}, {_place(notebook, cell)} raised an error:\n{error}"
                ) from None
            except nbclient.exceptions.CellTimeoutError:
                raise NotebookFailed(
                    f"{path.name}, {_place(notebook, cell)} ran for more than {CELL_SECONDS} seconds: "
                    "make it do less."
                ) from None
            except nbclient.exceptions.DeadKernelError:
                raise NotebookFailed(
                    f"{path.name}, {_place(notebook, cell)} killed its kernel, probably for want of memory."
                ) from None


def _strip(notebook):
    """Take away what differs from one run or machine to the next."""
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        kept = {key: value for key, value in cell.metadata.items() if key in KEPT_CELL_METADATA}
        cell.metadata = nbformat.from_dict(kept)
        for output in cell.get("outputs", []):
            # Without its kernel a widget is only an error message; its still picture stays.
            output.get("data", {}).pop(WIDGET_VIEW, None)


def _problems(path, notebook):
    def problem(place, what):
        return Problem(path.name, place, what)

    size = path.stat().st_size / 1000
    if size > NOTEBOOK_KB:
        yield problem("file", f"{size:.0f} KB, more than {NOTEBOOK_KB}: show fewer or smaller pictures")
    if "widgets" in notebook.metadata:
        yield problem("metadata", "holds widget state: store it with `python -m onereward_nb notebooks`")
    if what := publishing.disagreement(notebook, path):
        yield problem("for Colab", what)
    expected = 0
    for cell in notebook.cells:
        place = _place(notebook, cell)
        if cell.cell_type == "markdown" and PICTURE_WITHOUT_ALT.search(cell.source):
            yield problem(place, "a picture without alternative text: write ![what it shows](...)")
        if cell.cell_type == "code":
            expected += 1
            if cell.execution_count is None:
                yield problem(place, "not run: store its output with `python -m onereward_nb notebooks`")
            elif cell.execution_count != expected:
                yield problem(
                    place,
                    f"run as [{cell.execution_count}], expected [{expected}]: run the notebook in "
                    "order with `python -m onereward_nb notebooks`",
                )
            lines = len(publishing.without_fetching(cell.source).splitlines())
            if lines > CELL_LINES:
                yield problem(place, f"{lines} lines, more than {CELL_LINES}: divide it")
            yield from (problem(place, what) for what in _wrong_outputs(cell))
    for cell, what in (*sections.wrong(notebook), *sections.unexplained_checks(notebook)):
        yield problem(_place(notebook, cell), what)
    for cell, number in prose.unbound_numbers(notebook, unchecked):
        yield problem(
            _place(notebook, cell),
            f"the number {number} stands in no checked output: print it, write it as code, or mend it",
        )


def _wrong_outputs(cell):
    for output in cell.outputs:
        text = prose.text_of(output)
        if output.output_type == "error" and "raises-exception" not in _tags(cell):
            yield f"stored with an error, {output.ename}: mend it, or tag it raises-exception"
        if output.get("name") == "stderr":
            yield f"writes to stderr, {text.strip()[:60]!r}: mend what it warns of, or show less"
        if WIDGET_VIEW in output.get("data", {}):
            yield "holds a widget's view: store it with `python -m onereward_nb notebooks`"
        if "image/jpeg" in output.get("data", {}) or not _described(output):
            yield "shows a picture without alternative text: show it with onereward_nb.plots"
        if match := ABSOLUTE_PATH.search(text):
            yield f"prints the absolute path {match[0]}: print only its last part"
        if _names_this_machine(text):
            yield "prints the name of this machine"


def _too_many_unchecked(notebooks):
    cells = [cell for notebook in notebooks.values() for cell in notebook.cells if cell.cell_type == "code"]
    ignored = sum(map(unchecked, cells))
    if ignored and ignored >= UNCHECKED_SHARE * len(cells):
        return [
            Problem(
                "all notebooks",
                "tags",
                f"nbval ignores or skips {ignored} of {len(cells)} code cells: keep "
                f"them below {UNCHECKED_SHARE:.0%}",
            )
        ]
    return []


def _described(output):
    """Whether a PNG output carries alternative text, as `onereward_nb.plots` gives it."""
    if "image/png" not in output.get("data", {}):
        return True
    return bool(output.metadata.get("image/png", {}).get("alt"))


def _names_this_machine(text):
    name = socket.gethostname()
    if name.isalpha():  # "laptop" or "localhost" may be meant as a word
        return False
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _place(notebook, cell):
    """Words for where a cell stands: code by its number in JupyterLab, and both by how they begin."""
    beginning = next(iter(cell.source.strip().splitlines()), "")[:40]
    if cell.cell_type != "code":
        return f'text "{beginning}"'
    code = [other for other in notebook.cells if other.cell_type == "code"]
    number = next(n for n, other in enumerate(code, start=1) if other is cell)
    return f'cell [{number}] "{beginning}"'


def _tags(cell):
    return set(cell.metadata.get("tags", []))
