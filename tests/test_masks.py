"""Mask operations against pixel-by-pixel arithmetic."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tiny import random_mask, random_picture

from onereward_nb import masks


def painted(mask):
    assert mask.mode == "L" and set(np.unique(np.asarray(mask))) <= {0, 255}
    return np.asarray(mask) == 255


def test_box_and_ellipse():
    size = (40, 30)
    expected = np.zeros((30, 40), bool)
    expected[5:12, 3:20] = True
    np.testing.assert_array_equal(painted(masks.box(size, 3, 5, 20, 12)), expected)
    np.testing.assert_array_equal(painted(masks.box(random_picture(40, 30), 3, 5, 20, 12)), expected)
    ellipse = masks.ellipse(size, 10, 5, 30, 25)
    y, x = np.mgrid[:30, :40]
    distance = np.hypot(x - 19.5, y - 14.5)
    assert painted(ellipse)[distance < 9.2].all() and not painted(ellipse)[distance > 10.8].any()
    assert masks.bounding_box(ellipse) == (10, 5, 30, 25)


def test_stroke_and_polygon():
    stroke = painted(masks.stroke((60, 40), [(10, 10), (50, 30)], 8))
    y, x = np.mgrid[:40, :60]
    along = np.clip(((x - 10) * 40 + (y - 10) * 20) / 2000, 0, 1)
    distance = np.hypot(x - 10 - 40 * along, y - 10 - 20 * along)
    assert stroke[distance < 2.5].all() and not stroke[distance > 5.5].any()
    assert painted(masks.stroke((20, 20), [(10, 10)], 6)).sum() > 20
    y, x = np.mgrid[:20, :20]
    triangle = painted(masks.polygon((20, 20), [(2, 2), (17, 2), (2, 17)]))
    np.testing.assert_array_equal(triangle, (x >= 2) & (y >= 2) & (x + y <= 19))


def test_invert_and_union():
    a, b = random_mask(seed=1), random_mask(seed=2)
    np.testing.assert_array_equal(painted(masks.invert(a)), ~painted(a))
    np.testing.assert_array_equal(painted(masks.union(a, b, a)), painted(a) | painted(b))


@pytest.mark.parametrize("px", [0, 1, 3, 7])
def test_grow_and_shrink(px):
    mask = random_mask(60, 50)
    grown = mask.filter(ImageFilter.MaxFilter(2 * px + 1))
    np.testing.assert_array_equal(painted(masks.grow(mask, px)), painted(grown))
    eroded = mask.filter(ImageFilter.MinFilter(2 * px + 1))
    np.testing.assert_array_equal(painted(masks.shrink(mask, px)), painted(eroded))


def test_grow_far():
    grown = masks.grow(masks.box((1000, 4), 0, 0, 1, 4), 450)
    assert masks.bounding_box(grown) == (0, 0, 451, 4)


def test_shrink_leaves_the_picture_border():
    assert masks.bounding_box(masks.shrink(masks.box((40, 20), 0, 0, 20, 20), 4)) == (0, 0, 16, 20)


@pytest.mark.parametrize("px", [2, 4, 8])
def test_feather(px):
    mask = random_mask(60, 50)
    soft = np.asarray(masks.feather(mask, px))
    assert (soft[painted(mask)] == 255).all()
    outside = ~painted(masks.grow(mask, px))
    assert outside.any() and (soft[outside] == 0).all()
    row = np.asarray(masks.feather(masks.box((60, 9), 0, 0, 20, 9), px))[4]
    ramp = row[20 : 20 + px].astype(int)
    assert (np.diff(ramp) < 0).all() and 0 < ramp[-1] < ramp[0] < 255


@pytest.mark.parametrize(("left", "top", "right", "bottom"), [(10, 0, 0, 0), (3, 4, 5, 6), (0, 0, 0, 20)])
def test_extend_canvas(left, top, right, bottom):
    image = random_picture(30, 20)
    canvas, mask = masks.extend_canvas(image, left, top, right, bottom)
    assert canvas.mode == "RGB"
    assert canvas.size == mask.size == (30 + left + right, 20 + top + bottom)
    inner = (slice(top, top + 20), slice(left, left + 30))
    np.testing.assert_array_equal(np.asarray(canvas)[inner], np.asarray(image))
    expected = np.ones(mask.size[::-1], bool)
    expected[inner] = False
    np.testing.assert_array_equal(painted(mask), expected)
    assert (np.asarray(canvas)[expected] == 127).all()  # grey, which a model sees as nothing
    assert masks.extend_canvas(image.convert("P"), left=1)[0].mode == "RGB"


def test_from_alpha():
    mask = random_mask()
    image = random_picture()
    image.putalpha(masks.invert(mask))
    np.testing.assert_array_equal(painted(masks.from_alpha(image)), painted(mask))
    with pytest.raises(ValueError, match=r"mode 'RGB'.*no alpha"):
        masks.from_alpha(random_picture())


def test_measures():
    mask = masks.box((40, 20), 5, 5, 15, 15)
    assert masks.coverage(mask) == 100 / 800
    assert masks.bounding_box(mask) == (5, 5, 15, 15)
    assert masks.bounding_box(Image.new("L", (20, 20))) is None


def test_overlay():
    image, mask = random_picture(), random_mask()
    shown = np.asarray(masks.overlay(image, mask, colour=(255, 0, 0), opacity=1.0))
    np.testing.assert_array_equal(shown[~painted(mask)], np.asarray(image)[~painted(mask)])
    assert (shown[painted(mask)] == (255, 0, 0)).all()
    half = np.asarray(masks.overlay(image, mask, colour=(255, 0, 0), opacity=0.5), float)
    expected = np.asarray(image) * 0.5 + np.array([127.5, 0, 0])
    np.testing.assert_allclose(half[painted(mask)], expected[painted(mask)], atol=2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: masks.box((20, 20), 30, 30, 40, 40), "lies outside the picture of 20x20"),
        (lambda: masks.box((20, 20), 10, 10, 10, 15), "left < right"),
        (lambda: masks.polygon((20, 20), [(1, 1), (2, 2)]), "at least 3 points, got 2"),
        (lambda: masks.grow(random_mask(), -1), "px must be a whole number of pixels, 0 or more, got -1"),
        (lambda: masks.grow(random_mask(), 1.5), "got 1.5"),
        (lambda: masks.union(random_mask(), random_mask(20, 20)), "48x32 pixels and 20x20"),
        (lambda: masks.extend_canvas(random_picture()), "at least one margin"),
        (lambda: masks.extend_canvas(random_picture(), left=-3), "left must be"),
        (lambda: masks.overlay(random_picture(), random_mask(20, 20)), "20x20 pixels, the picture 48x32"),
    ],
)
def test_refused_with_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
