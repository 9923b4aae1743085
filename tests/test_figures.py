"""The figures of the README are those of the results files."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_readme_gives_the_measured_rates():
    measured = json.loads((ROOT / "assets/results/postcard-fill.json").read_text())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{measured['command']}`" in readme
    for task, figures in measured["tasks"].items():
        row = re.search(rf"^\| {task} \|.*\| (\d+)% \| (\d+)% to (\d+)% \| (\d+)% \|$", readme, re.M)
        success, truth = figures["success"], figures["truth itself"]
        expected = (success["rate"], success["low"], success["high"], truth["rate"])
        assert row and row.groups() == tuple(f"{100 * value:.0f}" for value in expected), task
        assert success["examples"] >= 200


def test_the_reader_is_right_on_untouched_renders():
    measured = json.loads((ROOT / "assets/results/postcard-reader.json").read_text())
    assert min(measured[what]["rate"] for what in ("kind", "colour", "letter")) >= 0.99
