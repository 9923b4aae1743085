"""Close-ups: what is enlarged and put back unchanged is what was there."""

import numpy as np
import pytest
from PIL import Image

from onereward_nb import closeup, masks, postcards


@pytest.fixture(scope="module")
def picture():
    return postcards.render(1_000_003)


def test_the_mask_lies_in_the_middle(picture):
    mask = masks.box(picture, 50, 60, 70, 80)
    assert closeup.box_around(mask, 2) == (28, 38, 92, 102)


@pytest.mark.parametrize(
    ("corner", "box"), [((0, 0, 10, 10), (0, 0, 64, 64)), ((118, 100, 128, 128), (64, 64, 128, 128))]
)
def test_the_part_stays_inside_the_picture(picture, corner, box):
    assert closeup.box_around(masks.box(picture, *corner), 2) == box


def test_a_picture_that_is_not_square_keeps_its_proportions():
    mask = masks.box((200, 100), 90, 40, 110, 60)
    left, top, right, bottom = closeup.box_around(mask, 2.5)
    assert (right - left, bottom - top) == (80, 40)


def test_without_zoom_nothing_changes(picture):
    mask = masks.box(picture, 50, 60, 70, 80)
    part, part_mask, box = closeup.enlarge(picture, mask, 1)
    assert box == (0, 0, 128, 128)
    assert part.tobytes() == picture.tobytes() and part_mask.tobytes() == mask.tobytes()


def test_the_masked_region_is_larger_in_the_close_up(picture):
    mask = masks.box(picture, 50, 60, 70, 80)
    part, part_mask, _ = closeup.enlarge(picture, mask, 2)
    assert part.size == part_mask.size == picture.size
    assert masks.bounding_box(part_mask) == (44, 44, 84, 84)
    assert part_mask.getcolors() == [(128 * 128 - 1600, 0), (1600, 255)]


def test_only_masked_pixels_change(picture):
    mask = masks.ellipse(picture, 40, 50, 70, 80)
    part, _, box = closeup.enlarge(picture, mask, 1.7)
    result = closeup.put_back(picture, mask, Image.new("RGB", part.size, "red"), box)
    changed = (np.asarray(result) != np.asarray(picture)).any(axis=2)
    assert not changed[np.asarray(mask) == 0].any()
    assert (np.asarray(result)[np.asarray(mask) > 0] == (255, 0, 0)).all()


def test_what_was_not_edited_comes_back_nearly_as_it_was(picture):
    mask = masks.box(picture, 40, 50, 70, 80)
    part, _, box = closeup.enlarge(picture, mask, 2)
    error = np.abs(np.asarray(closeup.put_back(picture, mask, part, box), int) - np.asarray(picture, int))
    assert error.mean() < 1


@pytest.mark.parametrize(
    ("mask", "zoom", "words"),
    [
        (Image.new("L", (128, 128)), 2, "mask is empty"),
        (masks.box((128, 128), 0, 0, 20, 20), 0.5, "1 or more"),
        (masks.box((128, 128), 0, 0, 20, 90), 2, "Zoom in less"),
    ],
)
def test_what_cannot_be_enlarged_is_refused_in_words(mask, zoom, words):
    with pytest.raises(ValueError, match=words):
        closeup.box_around(mask, zoom)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="mask is 64x48 pixels, the picture 128x128: they must match"):
        closeup.enlarge(Image.new("RGB", (128, 128)), masks.box((64, 48), 10, 10, 30, 30), 2)
