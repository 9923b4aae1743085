"""Panoramas: what was there stays, what is new comes from the pipeline, and what does not fit is refused."""

import numpy as np
import pytest
from PIL import Image

from onereward_nb.panorama import extend_right


def random_picture(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_what_was_there_stays_and_the_rest_is_the_pipelines(pipe):
    pictures = [random_picture(width, 32, seed=width) for width in (16, 40)]
    wider = extend_right(pipe, pictures, ["a", "b"], 16, [3, 4], num_inference_steps=2)
    for before, after in zip(pictures, wider, strict=True):
        assert after.size == (before.width + 16, 32)
        assert np.array_equal(np.asarray(after)[:, : before.width], np.asarray(before))
        assert np.asarray(after)[:, before.width :].std() > 0
    alone = extend_right(pipe, pictures[1:], ["b"], 16, [4], num_inference_steps=2)[0]
    assert np.abs(np.asarray(alone, int) - np.asarray(wider[1], int)).max() <= 1


@pytest.mark.parametrize(
    ("sizes", "px", "words"),
    [
        ([], 16, r"pictures have the heights \[\]: give at least one"),
        ([(32, 32), (32, 40)], 16, r"heights \[32, 40\]"),
        ([(32, 32)], 32, "take px from 1 to 31"),
        ([(8, 32)], 16, "pictures at least that wide"),
    ],
)
def test_what_does_not_fit_is_refused(pipe, sizes, px, words):
    pictures = [random_picture(*size) for size in sizes]
    with pytest.raises(ValueError, match=words):
        extend_right(pipe, pictures, ["a"] * len(sizes), px, range(len(sizes)))
