"""Two notebooks with Colab's versions, and with the oldest ones that pyproject.toml admits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "versions" / "run.py"
NOTEBOOKS = ["notebooks/00_start_here.ipynb", "notebooks/06_true_cfg.ipynb"]


@pytest.mark.skipif(
    not {"CI", "ONEREWARD_NB_VERSIONS"} & set(os.environ),
    reason="installs packages for minutes: set ONEREWARD_NB_VERSIONS=1 to run it, as CI does by itself",
)
@pytest.mark.parametrize("versions", ["colab", "oldest"])
def test_two_notebooks_come_out_the_same(versions):
    command = [sys.executable, RUN, versions, *NOTEBOOKS]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
