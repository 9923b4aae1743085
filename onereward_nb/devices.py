"""Where a model runs, and the number format that it computes in there."""

import torch

from .hub import ModelUnavailable


def named(name=None):
    """A torch.device by its name, by default the GPU if there is one. ValueError for what is no device's name."""
    try:
        return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        raise ValueError(f"device is {name!r}: give 'cpu', 'cuda' or 'mps', or leave it out.") from None


def check_there(device):
    """ModelUnavailable where this machine does not have a device."""
    count = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= count.get(device.type, 1):
        raise ModelUnavailable(
            f"device is '{device}', and PyTorch finds no such GPU here: leave device out. "
            "`python -m onereward_nb doctor` says what this machine has."
        )


def default_dtype(device):
    """The number format that a device computes in fast and well."""
    device = torch.device(device)
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8:
        return torch.float16  # torch says yes to bfloat16 on these cards, but only emulates it
    return torch.bfloat16
