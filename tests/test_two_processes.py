"""Training in two processes, started as Accelerate starts them: they share weights, gradients, clock and checkpoint."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file


@pytest.fixture(scope="module")
def launched(vae_folder, tmp_path_factory):
    """One launch for all tests, for a process takes long to start: its folder, and what it printed."""
    out = tmp_path_factory.mktemp("launched")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command = [Path(__file__).with_name("two_processes.py"), out, vae_folder]
    process = subprocess.run(
        [*launch, "--main_process_port", "0", *map(str, command)],  # 0: one that is free
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return out, process.stdout


@pytest.fixture
def processes(launched):
    """What each of the two saw and got."""
    return [torch.load(launched[0] / f"process-{index}.pt") for index in range(2)]


def test_they_share_gradients_clock_and_checkpoint(processes):
    one, other = (process["toy"] for process in processes)
    for name in ("before", "after", "average"):
        assert torch.equal(one[name], other[name])
    for name in ("batches", "batches after resuming"):
        assert not torch.isclose(one[name], other[name]).any()
    assert one["last step"] == other["last step"] > 5

    # one process with both halves of each batch ends up with the same weights
    model = torch.nn.Linear(3, 1)
    torch.nn.utils.vector_to_parameters(one["before"], model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for halves in zip(one["batches"], other["batches"], strict=True):
        optimizer.zero_grad()
        model(torch.cat(halves)).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    torch.testing.assert_close(torch.nn.utils.parameters_to_vector(model.parameters()).detach(), one["after"])


def test_policies_agree_and_share_their_gradients(processes):
    for ours, theirs in zip(*(process["policies"] for process in processes), strict=True):
        for name in ("weights", "average", "reference"):
            assert torch.equal(ours[name], theirs[name])
        assert ours["score"] == theirs["score"]
        assert not torch.equal(ours["pictures"], theirs["pictures"])
        assert not torch.equal(ours["weights"], ours["average"])


def test_the_fill_model_is_trained(launched):
    out, said = launched
    assert "7.9 M parameters on cpu, processes: 2" in said and "pipeline written" in said
    checkpoint = load_file(out / "fill" / "checkpoint.safetensors")
    assert all(tensor.isfinite().all() for name, tensor in checkpoint.items() if name != "random")
    assert (out / "fill" / "postcard-fill" / "model_index.json").exists()
