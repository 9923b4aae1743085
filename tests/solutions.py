"""The code of a notebook's folded solutions, so that the tests run what the reader unfolds; and what a wrong answer gets."""

import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
FOLDED = re.compile(r"<summary>Solution</summary>.*?```python\n(.*?)```.*?</details>", re.S)


def solution(name, number):
    """The code of the `number`-th folded solution, from 1 on, of notebooks/<name>.ipynb."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return FOLDED.findall(text)[number - 1]


def solve(name, number, **given):
    """Run that solution with the names that the notebook has at that point. Returns all names afterwards."""
    exec(solution(name, number), given)
    return given


def refused(check, *answer, words, capsys):
    """Whether a check says no, in words that contain these."""
    right = check(*answer)
    said = capsys.readouterr().out
    return not right and said.startswith("Not yet: ") and words in said
