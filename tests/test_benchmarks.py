"""The benchmarks of full-size pipelines, on a tiny one: what they write, what they compare, what they leave out."""

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from onereward_nb import speed
from onereward_nb.hub import ModelUnavailable


def benchmark(name):
    spec = spec_from_file_location(name, Path(__file__).parent / "benchmarks" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def clean():
    yield
    torch.compiler.reset()


def test_speed(tmp_path, monkeypatch, capsys):
    full_size, out = benchmark("full_size"), tmp_path / "speed.json"

    def unfit(pipe):
        raise ModelUnavailable("no fp8 here\nand a second line")

    monkeypatch.setattr(speed, "round_to_fp8", unfit)
    monkeypatch.setattr(sys, "argv", ["full_size.py", "--tiny", "--steps", "8", "--out", str(out)])
    full_size.main()
    result, said = json.loads(out.read_text()), capsys.readouterr().out
    rows = result["rows"]
    assert list(rows) == ["plain", *full_size.VARIANTS]
    for name in ("fp8", "fp8, interval, cache"):
        assert rows.pop(name) == {"not measured": "ModelUnavailable: no fp8 here"}
        assert f"{name:24} not measured: ModelUnavailable: no fp8 here\n" in said
    assert {name: row["passes"] for name, row in rows.items() if "cache" not in name} == {
        "plain": 16,
        "exact": 16,
        "exact, branches in turn": 16,
        "interval": 12,
    }
    assert 2 <= rows["cache"]["passes"] < 16 and rows["cache"]["passes"] % 2 == 0  # two branches in one batch
    assert 1 <= rows["interval, cache"]["passes"] < 12
    # computed in another order, or other things: OneReward's loop is diffusers', ours another
    assert rows["plain"]["error"] == 0 and rows["plain"]["ratio"] == 1
    assert max(rows["exact"]["error"], rows["exact, branches in turn"]["error"]) < 1e-5
    assert min(rows[name]["error"] for name in rows if "interval" in name or "cache" in name) > 1e-4
    for row in rows.values():
        assert row["ratio"] == pytest.approx(rows["plain"]["seconds"] / row["seconds"])
    assert result["attention"] in speed._ATTENTION and result["steps"] == 8


def test_speed_of_a_choice(tmp_path, monkeypatch):
    full_size, out = benchmark("full_size"), tmp_path / "speed.json"
    arguments = ["--tiny", "--steps", "2", "--only", "interval", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["full_size.py", *arguments])
    full_size.main()
    assert list(json.loads(out.read_text())["rows"]) == ["plain", "interval"]


def test_what_was_measured_outlives_an_interruption(tmp_path, monkeypatch):
    full_size, out = benchmark("full_size"), tmp_path / "speed.json"

    def interrupt(pipe, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(speed, "compile_blocks", interrupt)
    monkeypatch.setattr(sys, "argv", ["full_size.py", "--tiny", "--steps", "2", "--out", str(out)])
    with pytest.raises(KeyboardInterrupt):
        full_size.main()
    assert json.loads(out.read_text())["rows"]["plain"]["seconds"] > 0


# --- memory plans


@pytest.fixture
def plans(tmp_path, monkeypatch):
    """The benchmark, and its results for arguments; processes of its own become calls."""
    module, out = benchmark("memory_plans"), tmp_path / "plans.json"

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["memory_plans.py", "--tiny", "--steps", "1", *arguments])
        module.main()

    def run(command, capture_output, text, timeout):
        monkeypatch.setattr(sys, "argv", command[1:])
        answers = []
        with monkeypatch.context() as patch:
            patch.setattr("builtins.print", answers.append)
            try:
                module.main()
            except Exception as error:
                return SimpleNamespace(
                    returncode=1, stdout="", stderr=f"...\n{type(error).__name__}: {error}\n"
                )
        return SimpleNamespace(returncode=0, stdout="\n".join(["loading", *answers]), stderr="")

    monkeypatch.setattr(module.subprocess, "run", run)

    def measured(*arguments):
        main("--out", str(out), "--folder", str(tmp_path), *arguments)
        return json.loads(out.read_text())["plans"]

    return SimpleNamespace(module=module, measured=measured)


def test_each_plan_is_measured(plans, capsys):
    found = plans.measured("--plans", "resident", "layers", "--caps", "15", "39")
    assert list(found) == ["resident", "layers"]
    for rows in found.values():
        assert list(rows) == ["39", "15"]
        for row in rows.values():
            assert set(row) == set(plans.module.COLUMNS)
            assert row["GPU, GiB"] is None and row["loading, s"] > row["second edit, s"] > 0
            assert 0.1 < row["system, GiB"] < 50
    said = capsys.readouterr().out
    assert "resident          39 " in said and "layers            15 " in said


def test_a_plan_that_fails_says_why_and_the_next_one_runs(plans, monkeypatch, capsys):
    load = plans.module.full_size.load

    def failing(model, plan, *more):
        if plan.name == "resident":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return load(model, plan, *more)

    monkeypatch.setattr(plans.module.full_size, "load", failing)
    found = plans.measured("--plans", "resident", "offload", "--caps", "39", "15")
    assert found["resident"]["39"]["not measured"] == "OutOfMemoryError: CUDA out of memory."
    assert found["resident"]["15"]["not measured"] == "out of memory under 39 GiB"
    assert found["offload"]["15"]["loading, s"] > 0
    assert "not measured: out of memory under 39 GiB" in capsys.readouterr().out


def test_a_cap_below_what_was_taken_is_not_tried(plans):
    rows = {"39": {"GPU, GiB": 22.9}}
    assert plans.module.too_small(23, rows) is None
    assert plans.module.too_small(15, rows) == {"not measured": "it took 22.9 GiB under 39"}
    assert plans.module.too_small(15, {"39": {"not measured": "it took more than 240 s"}}) is None


def test_a_plan_that_takes_too_long(plans, monkeypatch):
    def late(command, capture_output, text, timeout):
        raise subprocess.TimeoutExpired(command, timeout)

    plans.measured("--plans", "resident", "--caps", "39")
    monkeypatch.setattr(plans.module.subprocess, "run", late)
    found = plans.measured("--plans", "resident", "--caps", "39", "--limit", "7")
    assert found == {"resident": {"39": {"not measured": "it took more than 7 s"}}}
