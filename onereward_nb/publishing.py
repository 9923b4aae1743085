"""Notebooks that open in Colab: a badge under each title, and the lines that fetch the package there.

    python -m onereward_nb notebooks --publish OWNER/NAME    # "" takes everything back

The address of the repository stands in pyproject.toml. From it and the version, each notebook gets its badge
and its lines; nothing else of it changes, so that its stored outputs stay valid. Both name the version's tag:
a notebook opened years later, or saved to a drive, still meets the code that it was written for.
"""

import copy
import re

import nbformat

from .environment import ROOT, project
from .files import write

BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{repository}/blob/{tag}/{path})"
)
FETCH = """\
import os

if "COLAB_RELEASE_TAG" in os.environ:  # Colab has to fetch the package first
    !test -d ~/{name} || git -C ~ -c advice.detachedHead=0 clone -q --depth 1 -b {tag} https://github.com/{repository}
    %cd -q ~/{name}

"""
SETUP = "from onereward_nb import environment\n"  # how the set-up cell of an unpublished notebook begins

HOST = "https://github.com/"  # the only one whose notebooks Colab opens by their address
REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")


def publish(repository, paths):
    """Write the address of the repository into pyproject.toml, badges and set-up lines into the notebooks.

    repository: "OWNER/NAME" at GitHub, or "" to take back what an earlier call wrote. paths: the notebooks.
    Raises ValueError, and writes nothing, if the repository or a notebook is not of the expected form.
    """
    if repository and not REPOSITORY.fullmatch(repository):
        raise ValueError(f"{repository!r} is no repository at GitHub: write OWNER/NAME, such as ada/engine.")
    stored = {path: nbformat.read(path, as_version=4) for path in paths}
    stamped = {path: _stamped(notebook, path, repository) for path, notebook in stored.items()}
    _write_address(repository)
    for path, notebook in stamped.items():
        if notebook != stored[path]:
            write(path, lambda temporary, notebook=notebook: nbformat.write(notebook, temporary))


def published_at():
    """The repository that pyproject.toml names, as "OWNER/NAME"; "" if it names none."""
    return project()["urls"].get("Repository", "").removeprefix(HOST)


def tag():
    """The git tag of this version, which badges and set-up cells name."""
    return f"v{project()['version']}"


def disagreement(notebook, path):
    """What is wrong with the badge or the set-up lines of a notebook of this collection, or None."""
    if not path.resolve().is_relative_to(ROOT / "notebooks"):
        return None
    try:
        if notebook == _stamped(notebook, path, published_at()):
            return None
    except ValueError as error:
        return str(error)
    return (
        "badge or set-up cell differ from the address and version in pyproject.toml: run "
        f'`python -m onereward_nb notebooks --publish "{published_at()}"`'
    )


def without_fetching(source):
    """The source of a cell without the lines that a published notebook has on top of its set-up cell."""
    head, setup, rest = source.partition(SETUP)
    return setup + rest if setup and "COLAB_RELEASE_TAG" in head else source


def _stamped(notebook, path, repository):
    notebook = copy.deepcopy(notebook)
    first = notebook.cells[0]
    title, _, text = re.sub(r"\n\n\[!\[Open in Colab\].*", "", first.source).partition("\n")
    if first.cell_type != "markdown" or not title.startswith("# "):
        raise ValueError(f'{path.name} begins with {title!r}: begin it with a text cell, "# " and its title.')
    setup = next((cell for cell in notebook.cells if cell.cell_type == "code"), first)
    source = without_fetching(setup.source)
    if not source.startswith(SETUP):
        raise ValueError(f"The first code cell of {path.name} has to begin with {SETUP.strip()!r}.")
    badge, fetch = "", ""
    if repository:
        place = path.resolve().relative_to(ROOT).as_posix()
        badge = "\n\n" + BADGE.format(repository=repository, tag=tag(), path=place)
        fetch = FETCH.format(repository=repository, name=repository.partition("/")[2], tag=tag())
    first.source = title + badge + ("\n" + text if text else "")
    setup.source = fetch + source
    return notebook


def _write_address(repository):
    file = ROOT / "pyproject.toml"
    text = re.sub(r"^Repository = .*\n", "", file.read_text(encoding="utf-8"), flags=re.M)
    if repository:
        table = "[project.urls]\n"
        text = text.replace(table, f'{table}Repository = "{HOST}{repository}"\n')
    write(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))
