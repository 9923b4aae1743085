"""The project as a whole: README, continuous integration, style, and what is stored in its notebooks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from onereward_nb import notebooks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START, TEST = re.findall(r"^python3 -m venv .*", README, re.M)


def test_continuous_integration_runs_the_test_command_of_the_readme():
    last_line = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert last_line.replace('"', "").replace("$environment", ".venv") == TEST


def test_both_commands_of_the_readme_prepare_the_same_environment():
    assert START.rpartition(" && ")[0] == TEST.rpartition(" && ")[0]


def test_the_readme_lists_every_notebook():
    stored = {f"notebooks/{path.name}" for path in notebooks.find()}
    assert set(re.findall(r"\]\((notebooks/[^)]+)\)", README)) == stored


PAGES = [ROOT / "README.md", *sorted((ROOT / "assets/models").glob("*/README.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_first_code_of_readme_and_cards_runs(page, tmp_path, monkeypatch):
    code = re.search(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    if page.parent.name == "postcard-reader":  # the oracle's own, for nobody else to load
        assert not code
    else:
        monkeypatch.chdir(tmp_path)
        exec(code[1], {})


def test_requirements_are_exact_and_within_the_ranges_of_the_package():
    from packaging.requirements import Requirement

    from onereward_nb.environment import requirements

    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = [Requirement(line.partition("#")[0]) for line in lines if line and line[0] not in "#-"]
    versions = {each.name: str(each.specifier).removeprefix("==") for each in pinned}
    for requirement in requirements() + requirements("dev"):
        assert requirement.specifier.contains(versions[requirement.name]), requirement


def test_each_notebook_says_how_long_its_exercises_take():
    reading = exercising = 0
    for path in notebooks.find():
        words = path.read_text(encoding="utf-8")
        each = re.findall(r"### Exercise \d+: [^(]*\((\d+) minutes, (?:easy|medium|hard)\)", words)
        said = re.search(r"(\d+) minutes to read, (\d+) minutes for the exercises", words)
        assert len(each) >= 3 and int(said[2]) == sum(map(int, each)), path.name
        reading, exercising = reading + int(said[1]), exercising + int(said[2])
    assert f"about {reading / 60:.0f} hours of reading, and {exercising / 60:.0f} of exercises" in README


def test_stored_notebooks_are_in_order():
    assert list(map(str, notebooks.check(notebooks.find()))) == []


def test_code_and_notebooks_have_one_style():
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "."]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
