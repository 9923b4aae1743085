"""Self-checks of notebook 05: the two ends of the line that x lies on, the place of a pixel, a better solver."""

from itertools import pairwise

import torch

from .verdict import verdict


def check_ends(both_ends):
    """Does a function find the clean latents and the noise that noisy latents are a mixture of?

    both_ends: takes noisy latents and their velocity, tensors of one shape, and sigma; returns (clean, noise).
    """
    draw = torch.Generator().manual_seed(5)
    clean, noise = torch.randn((2, 1, 4, 64), generator=draw)
    hints = {
        "clean latents": "sigma v is the way from them to x",
        "noise": "it lies farther on, by the part of v that x has not gone yet",
    }
    for sigma in (0.3, 0.9, 1.0):
        answer = both_ends((1 - sigma) * clean + sigma * noise, noise - clean, sigma)
        if not isinstance(answer, tuple) or len(answer) != 2:
            return verdict(False, "return two tensors: the clean latents, then the noise")
        if any(not isinstance(part, torch.Tensor) or part.shape != clean.shape for part in answer):
            return verdict(False, f"both must be tensors of the shape of x, here {tuple(clean.shape)}")
        if all(map(_close, answer, (noise, clean))):
            return verdict(False, "right, but the other way round: the clean latents come first")
        for (name, hint), given, right in zip(hints.items(), answer, (clean, noise), strict=True):
            if not _close(given, right):
                return verdict(False, f"at sigma {sigma}, wrong {name}: {hint}")
    return verdict(True, "both ends are right, at every noise level")


def check_place(place):
    """Does a function say where the mask's pixels go: to which token, and to which of its 256 channels?

    place: takes x, y and the width of the picture, in pixels; returns (token, channel), two whole numbers.
    """
    for width, height in ((128, 128), (64, 32), (32, 80)):
        packed = _packed_places(width, height)
        for x, y in (
            (0, 0),
            (1, 0),
            (0, 1),
            (8, 0),
            (0, 8),
            (17, 0),
            (0, 16),
            (width - 1, height - 1),
            (21, 30),
        ):
            token, channel = (packed == y * width + x).nonzero()[0].tolist()
            pixel = f"pixel ({x}, {y}) of a picture that is {width} wide"
            answer = place(x, y, width)
            if not isinstance(answer, tuple) or len(answer) != 2:
                return verdict(False, "return two whole numbers: the token, then the channel")
            if answer[0] != token:
                return verdict(
                    False,
                    f"{pixel} goes to token {token}, not {answer[0]}: count squares of 16 by 16, row by row",
                )
            if answer[1] != channel:
                return verdict(
                    False,
                    f"{pixel} goes to token {token}, that is right, and there to channel {channel}, not "
                    f"{answer[1]}: its place in a square of 8 by 8 counts fours, which square it is counts ones",
                )
    return verdict(True, "every pixel is found, in pictures of three shapes")


def check_solver(solve):
    """Does a solver come nearer to the exact answer than Euler's method does with as many predictions?

    It is tried where the velocity is known: latents whose every number has the mean 2 and the spread 0.3.
    There the exact answer for the noise n is 2 + 0.3 n.

    solve: takes velocity(x, sigma), the noise and the noise levels, which fall from 1 to 0; returns latents.
    """
    noise = torch.randn((1, 16, 64), generator=torch.Generator().manual_seed(5))
    exact, steps = 2 + 0.3 * noise, 16
    asked = []

    def velocity(x, sigma):
        asked.append((x.clone(), float(sigma)))  # a solver may go on in the same memory
        return gaussian_velocity(x, sigma)

    answer = solve(velocity, noise.clone(), torch.linspace(1, 0, steps + 1))
    if not isinstance(answer, torch.Tensor) or answer.shape != noise.shape:
        return verdict(
            False, f"return latents, a tensor of the shape of the noise, here {tuple(noise.shape)}"
        )
    calls = len(asked)
    if calls > 2 * steps:
        return verdict(False, f"it asks for {calls} velocities in {steps} steps: two a step have to do")
    if calls <= steps:
        return verdict(
            False, f"it asks for {calls} velocities in {steps} steps: ask for a second one in each step"
        )
    (x, sigma), (second_x, second_sigma) = asked[:2]
    if second_sigma == sigma:
        return verdict(False, f"it asks twice at sigma {sigma:.2f}: the second time belongs to the next one")
    if torch.equal(second_x, x):
        return verdict(
            False, "it asks twice at the same x: the second time belongs where the first step leads"
        )
    rival = _euler(gaussian_velocity, noise, torch.linspace(1, 0, calls + 1))
    error, euler = (float((latents - exact).abs().mean()) for latents in (answer, rival))
    if not error < euler / 2:
        return verdict(
            False,
            f"its error is {error:.3f}, that of Euler with {calls} steps {euler:.3f}: go the whole step from "
            "the old x along the mean of both velocities",
        )
    return verdict(
        True, f"with {calls} predictions each its error is {error:.4f}, that of Euler's method {euler:.4f}"
    )


def gaussian_velocity(x, sigma, mean=2.0, spread=0.3):
    """The exact velocity, noise minus latents as to be expected at x, of latents with a normal distribution."""
    variance = ((1 - sigma) * spread) ** 2 + sigma**2
    return (x - (1 - sigma) * mean) * (sigma - (1 - sigma) * spread**2) / variance - mean


def _euler(velocity, x, sigmas):
    for sigma, following in pairwise(sigmas):
        x = x + (following - sigma) * velocity(x, sigma)
    return x


def _close(given, right):
    return torch.allclose(given, right, atol=1e-4)


def _packed_places(width, height):
    """The numbers of the pixels, row by row, as diffusers packs a mask: (tokens, 256)."""
    from diffusers import FluxFillPipeline

    rows, columns = height // 8, width // 8
    pixels = torch.arange(height * width).view(1, rows, 8, columns, 8).permute(0, 2, 4, 1, 3)
    return FluxFillPipeline._pack_latents(pixels.reshape(1, 64, rows, columns), 1, 64, rows, columns)[0]
