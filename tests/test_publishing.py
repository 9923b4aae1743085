"""Badges and set-up lines for Colab, on copies of the notebooks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from onereward_nb import environment, notebooks, publishing
from onereward_nb.__main__ import main

ROOT = Path(__file__).parents[1]
LONG = "an-organisation-with-a-long-name/a-repository_with.quite-a-long-name"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the notebooks and of pyproject.toml, unpublished, that the commands take for the project."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    for module in (environment, notebooks, publishing):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    publishing.publish("", notebooks.find())
    return tmp_path


def publish(repository):
    return main(["notebooks", "--publish", repository])


def contents(project):
    return {path: path.read_bytes() for path in [project / "pyproject.toml", *notebooks.find()]}


def read(path):
    return nbformat.read(path, as_version=4)


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_notebook_gets_badge_and_set_up_lines_and_keeps_all_else(project, capsys):
    before = {path: read(path).cells for path in notebooks.find()}
    assert publish("ada/engine") == 0
    said = capsys.readouterr().out
    assert f"{len(before)} notebooks checked, no problems" in said
    assert f"git tag v{environment.project()['version']}" in said
    assert publishing.published_at() == "ada/engine"
    for path, cells in before.items():
        title, *others = read(path).cells
        setup = next(cell for cell in others if cell.cell_type == "code")
        link = f"/github/ada/engine/blob/{publishing.tag()}/notebooks/{path.name})\n"
        assert title.source.count("\n\n[![Open in Colab](") == title.source.count(link) == 1
        assert f"clone -q --depth 1 -b {publishing.tag()} https://github.com/ada/engine\n" in setup.source
        changed = [old for old, new in zip(cells, [title, *others], strict=True) if old != new]
        assert [cell.cell_type for cell in changed] == ["markdown", "code"]
        assert changed[1].outputs == setup.outputs
        assert setup.source.endswith(changed[1].source)


def test_publishing_again_changes_no_byte_and_none_takes_all_back(project):
    unpublished = contents(project)
    before = {path: read(path) for path in notebooks.find()}
    publish("ada/engine")
    published = contents(project)
    publish("ada/engine")
    assert contents(project) == published
    publish("bob/loom")
    assert not any(b"ada/engine" in each for each in contents(project).values())
    publish("")
    assert {path: read(path) for path in before} == before
    assert contents(project)[project / "pyproject.toml"] == unpublished[project / "pyproject.toml"]


def test_what_is_published_has_the_project_s_style(project):
    publish(LONG)
    (project / "onereward_nb").symlink_to(ROOT / "onereward_nb")  # ruff sorts its imports apart from others
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        result = subprocess.run(ruff, cwd=project, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("notebooks/00_start_here.ipynb", "[![Open in Colab]", "[![Open]"),
        ("notebooks/00_start_here.ipynb", "/blob/v", "/blob/old-v"),
        ("notebooks/00_start_here.ipynb", "https://github.com/ada/engine", "https://github.com/bob/loom"),
        ("notebooks/00_start_here.ipynb", "%cd -q ~/engine", "%cd -q ~"),
        ("pyproject.toml", "https://github.com/ada/engine", "https://github.com/bob/loom"),
        ("pyproject.toml", 'Repository = "https://github.com/ada/engine"', ""),
        ("pyproject.toml", '\nversion = "', '\nversion = "9'),
    ],
)
def test_the_check_finds_what_disagrees_with_address_or_version(project, capsys, file, old, new):
    for path in notebooks.find()[2:]:  # two are enough
        path.unlink()
    publish("ada/engine")
    change(project / file, old, new)
    capsys.readouterr()
    assert main(["notebooks", "--check"]) == 1
    assert "00_start_here.ipynb, for Colab: badge or set-up cell differ" in capsys.readouterr().out
    publish(publishing.published_at())
    assert main(["notebooks", "--check"]) == 0


@pytest.mark.parametrize(
    "name", ["engine", "ada/", "ada/engine/main", "https://github.com/ada/engine", "a b/c"]
)
def test_what_is_no_repository_is_refused(project, capsys, name):
    before = contents(project)
    assert publish(name) == 1
    assert f"{name!r} is no repository at GitHub: write OWNER/NAME" in capsys.readouterr().out
    assert contents(project) == before


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ('"# Start here', '"Start here', "00_start_here.ipynb begins with 'Start here"),
        (
            '"from onereward_nb import environment\\n"',
            '"import json\\n"',
            "cell of 00_start_here.ipynb has to begin",
        ),
    ],
)
def test_a_notebook_of_another_form_is_named_and_nothing_written(project, capsys, old, new, expected):
    change(project / "notebooks" / "00_start_here.ipynb", old, new)
    before = contents(project)
    assert publish("ada/engine") == 1
    assert expected in capsys.readouterr().out
    assert contents(project) == before


def test_paths_are_refused(project, capsys):
    with pytest.raises(SystemExit):
        main(["notebooks", "--publish", "ada/engine", "notebooks"])
    assert "--publish is for all notebooks: leave out notebooks" in capsys.readouterr().err


# --- the set-up lines at work


@pytest.fixture
def reader(tmp_path):
    """A function that runs the set-up lines twice, as a reader would, and returns what is printed.

    The repository that they fetch from has moved on since its tag.
    """
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    repository, home = tmp_path / "repository", tmp_path / "home"
    (repository / "onereward_nb").mkdir(parents=True)
    home.mkdir()

    def git(*arguments):
        who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True)

    git("init")
    for version in ("v1", "v2"):
        (repository / "onereward_nb" / "__init__.py").write_text("")
        (repository / "onereward_nb" / "environment.py").write_text(f"print({version!r})")
        git("add", ".")
        git("commit", "-m", version)
        git("tag", version)
    lines = publishing.FETCH.format(repository="ada/engine", name="engine", tag="v1")

    def run(**variables):
        code = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for lines in ({lines!r}, {lines!r}, "from onereward_nb import environment; print(environment.__file__)"):
    shell.run_cell(lines).raise_error()
"""
        address = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/ada/engine",
            "HOME": str(home),
        }
        unset = {name: value for name, value in os.environ.items() if name != "COLAB_RELEASE_TAG"}
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=unset | address | variables,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_on_colab_the_lines_fetch_the_tagged_package_and_print_nothing(reader, tmp_path):
    fetched = tmp_path / "home" / "engine" / "onereward_nb" / "environment.py"
    assert reader(COLAB_RELEASE_TAG="release") == f"v1\n{fetched}\n"


def test_elsewhere_the_lines_do_nothing(reader, tmp_path):
    assert "v1" not in reader()
    assert list((tmp_path / "home").glob("engine")) == []
