"""The set-up line, the progress helper and the doctor."""

import os
import subprocess
import sys
import types
from importlib import metadata
from itertools import count
from pathlib import Path

import pytest
from packaging.version import Version

from onereward_nb import doctor, environment
from onereward_nb.__main__ import main
from onereward_nb.environment import FROZEN, Gpu, Machine

VERSIONS = (Path(__file__).parent / "versions" / "colab.txt").read_text().splitlines()
COLAB = dict(line.split("==") for line in VERSIONS if "==" in line) | {"torch": "2.11.0"}


def in_fresh_python(code, **variables):
    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result


# --- setup


def test_setup_says_the_same_on_every_machine_while_outputs_are_stored(monkeypatch, capsys):
    monkeypatch.setenv("ONEREWARD_NB_FROZEN", "1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)  # as FROZEN makes it
    monkeypatch.setattr(environment, "machine", lambda: pytest.fail("looked at the machine"))
    environment.setup()
    machine, models = capsys.readouterr().out.splitlines()
    assert machine.startswith("Machine: outputs stored on one core of a CPU")
    assert models.startswith("Models:")


def test_setup_names_the_machine_of_the_reader(monkeypatch, capsys):
    monkeypatch.delenv("ONEREWARD_NB_FROZEN", raising=False)
    monkeypatch.setattr(environment, "machine", lambda: Machine("a CPU", 8, 16.4, ()))
    environment.setup()
    assert "Machine: a CPU, 8 cores, 16 GB of memory, no GPU." in capsys.readouterr().out


def test_setup_seeds_torch_and_numpy():
    import numpy as np
    import torch

    drawn = []
    for _ in range(2):
        environment.setup()
        drawn.append((torch.rand(1).item(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_setup_writes_nothing_to_stderr_and_keeps_the_bars_of_downloads():
    code = (
        "import os; from onereward_nb import environment; environment.setup();"
        "del os.environ['ONEREWARD_NB_FROZEN']; environment.setup(); from huggingface_hub import utils;"
        "print(utils.are_progress_bars_disabled())"
    )
    result = in_fresh_python(code, **FROZEN)
    assert result.stderr == "" and result.stdout.endswith("False\n")


# --- Colab


@pytest.fixture
def colab(monkeypatch):
    """A kernel that looks like Colab's: what was installed, beside which packages, and what was switched on."""
    done = []

    def pip(command, check):
        assert command[1:6] == ["-m", "pip", "install", "--quiet", "--constraint"]
        done.append((command[7:], Path(command[6]).read_text().split()))

    output = types.SimpleNamespace(enable_custom_widget_manager=lambda: done.append("widgets"))
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(output=output))
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(environment, "machine", lambda: Machine("a CPU", 2, 13, ()))
    return done


def test_colab_ships_all_that_the_package_needs(colab, monkeypatch, capsys):
    for requirement in environment.requirements():
        assert requirement.specifier.contains(Version(COLAB[requirement.name])), requirement
    monkeypatch.setattr(environment, "installed", COLAB.get)
    environment.setup()
    assert colab == ["widgets"]
    assert "runtime" not in capsys.readouterr().out


def test_colab_gets_what_is_missing_and_keeps_what_it_ships(colab, monkeypatch):
    monkeypatch.setattr(environment, "installed", lambda name: COLAB[name] if name != "anywidget" else None)
    environment.setup()
    [(packages, kept), widgets] = colab
    assert (packages, widgets) == (["anywidget>=0.9.21"], "widgets")
    for name in ("torch", "numpy", "ipywidgets"):
        assert f"{name}=={metadata.version(name)}" in kept


def test_an_old_runtime_of_colab_is_named_and_left_alone(colab, monkeypatch, capsys):
    monkeypatch.setattr(environment, "installed", (COLAB | {"diffusers": "0.34.0"}).get)
    environment.setup()
    assert colab == ["widgets"]
    assert "This runtime has diffusers 0.34.0, older than the notebooks need." in capsys.readouterr().out


def test_elsewhere_nothing_is_installed(monkeypatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(environment, "installed", lambda name: None)
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("installed something"))
    environment.setup()


# --- progress


def test_progress_goes_through_all_steps():
    assert list(environment.progress(range(3), "counting")) == [0, 1, 2]


@pytest.mark.parametrize("frozen, shows", [("1", False), ("0", True)])
def test_progress_is_silent_while_outputs_are_stored(frozen, shows, monkeypatch, capsys):
    monkeypatch.setenv("ONEREWARD_NB_FROZEN", frozen)
    monkeypatch.setattr("tqdm.std.time", count().__next__)  # a clock on which each step takes a second
    list(environment.progress(range(5), "waiting"))
    assert ("waiting" in capsys.readouterr().err) is shows


# --- doctor


def test_the_doctor_names_machine_packages_and_every_model(capsys):
    from onereward_nb.models import MODELS

    main(["doctor"])
    said = capsys.readouterr().out
    assert f"{environment.machine().cores} cores" in said
    assert "ok  torch" in said
    for name in MODELS:
        assert f" {name} " in said
    assert "needs an NVIDIA GPU" in said or "yes flux-fill" in said


def test_the_doctor_says_how_to_get_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "installed", lambda name: "0.1" if name == "diffusers" else None)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "NO  diffusers        0.1            needs >=0.39" in said
    assert 'pip install "torch>=2.11" "diffusers>=0.39"' in said


def test_the_doctor_tells_gpus_that_only_emulate_bfloat16(monkeypatch, capsys):
    gpus = (Gpu("T4", 15.8, (7, 5)), Gpu("H100", 85.0, (9, 0)))
    monkeypatch.setattr(doctor, "machine", lambda: Machine("a CPU", 2, 13, gpus))
    main(["doctor"])
    said = capsys.readouterr().out
    assert "T4 (16 GB), compute capability 7.5, float16 (bfloat16 is only emulated" in said
    assert "H100 (85 GB), compute capability 9.0, bfloat16\n" in said
    assert "Login at Hugging Face" in said


def test_a_notebook_that_is_not_there_is_named_without_a_traceback(capsys):
    for command in (["notebooks"], ["notebooks", "--check"]):
        with pytest.raises(SystemExit, match="2"):
            main([*command, "nowhere.ipynb"])
        assert (
            "error: There is no notebook or folder 'nowhere.ipynb': check the path."
            in capsys.readouterr().err
        )
