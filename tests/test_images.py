"""Pictures and masks of every kind come out as plain arrays, or are refused with words."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from tiny import random_mask, random_picture

from onereward_nb.images import as_array, as_mask, picture_and_mask, upright


def pixels(width=20, height=18, channels=3, seed=0):
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_rgb_and_grey_are_exact():
    rgb, grey = pixels(), pixels(channels=0)
    np.testing.assert_array_equal(as_array(Image.fromarray(rgb)), np.float32(rgb) / 255)
    np.testing.assert_array_equal(as_array(Image.fromarray(grey)), np.float32(np.stack([grey] * 3, -1)) / 255)
    np.testing.assert_array_equal(np.asarray(upright(Image.fromarray(rgb))), rgb)


def test_transparent_pixels_lie_over_white_and_opaque_ones_stay():
    rgba = pixels(channels=4)
    rgba[:9, :, 3] = 255
    expected = rgba[..., :3] / 255 * (rgba[..., 3:] / 255) + 1 - rgba[..., 3:] / 255
    result = as_array(Image.fromarray(rgba))
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_array_equal(np.rint(result[:9] * 255), rgba[:9, :, :3])
    np.testing.assert_allclose(as_array(rgba), expected, atol=1e-6)


def test_palette_with_and_without_transparency():
    image = Image.fromarray(pixels()).quantize(8)
    np.testing.assert_array_equal(np.asarray(upright(image)), np.asarray(image.convert("RGB")))
    image.info["transparency"] = int(np.asarray(image)[0, 0])
    clear = np.asarray(image) == image.info["transparency"]
    assert (np.asarray(upright(image))[clear] == 255).all()
    np.testing.assert_array_equal(
        np.asarray(upright(image))[~clear], np.asarray(image.convert("RGB"))[~clear]
    )


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_sixteen_bits_are_scaled_not_clipped(mode):
    values = np.linspace(0, 65535, 20 * 18).reshape(18, 20)
    dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    image = Image.frombytes(mode, (20, 18), values.astype(dtype).tobytes())
    np.testing.assert_allclose(as_array(image)[..., 0], values / 65535, atol=1e-4)
    np.testing.assert_allclose(as_array(values.astype(np.uint16))[..., 2], values / 65535, atol=1e-4)
    assert np.asarray(as_mask(image))[-1].min() == 255 and np.asarray(as_mask(image))[0].max() == 0


def test_photographs_are_turned_upright(tmp_path):
    image = random_picture(24, 16)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    image.save(tmp_path / "photo.png", exif=exif)
    turned = upright(tmp_path / "photo.png")
    assert turned.size == (16, 24)
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(image.rotate(-90, expand=True)))
    with pytest.raises(ValueError, match=r"mask is 24x16 pixels, the picture 16x24.*EXIF"):
        picture_and_mask(str(tmp_path / "photo.png"), random_mask(24, 16))
    picture_and_mask(tmp_path / "photo.png", random_mask(16, 24))
    assert ImageOps.exif_transpose(Image.open(tmp_path / "photo.png")).size == (
        16,
        24,
    )  # what the words advise


def test_arrays_and_tensors_agree():
    array = pixels()
    expected = as_array(Image.fromarray(array))
    floats = np.float32(array) / 255
    tensor = torch.from_numpy(floats).permute(2, 0, 1)
    for same in (array, floats, floats.astype(np.float64), tensor, torch.from_numpy(array).permute(2, 0, 1)):
        np.testing.assert_allclose(as_array(same), expected, atol=1e-7)
    np.testing.assert_allclose(as_array(tensor.bfloat16()), expected, atol=1e-2)
    np.testing.assert_array_equal(as_array(floats[..., 0])[..., 1], floats[..., 0])


def test_batches():
    array, mask = np.stack([pixels(seed=s) for s in range(3)]), np.zeros((3, 18, 20), np.float32)
    mask[:, 4:8, 4:8] = 1
    tensors = torch.from_numpy(array).permute(0, 3, 1, 2), torch.from_numpy(mask)
    lists = [Image.fromarray(a) for a in array], [Image.fromarray(np.uint8(m * 255)) for m in mask]
    for images, masks in ((array, mask), tensors, (tensors[0], tensors[1][:, None]), lists):
        pictures, painted = picture_and_mask(images, masks)
        np.testing.assert_array_equal(np.rint(pictures * 255), array)
        np.testing.assert_array_equal(painted, mask)
    assert picture_and_mask(array[0], mask[0][..., None])[1].shape == (1, 18, 20)
    assert picture_and_mask(tensors[0][0], tensors[1][:1])[1].shape == (1, 18, 20)


def test_masks_are_parted_at_the_middle():
    values = np.array([[0, 127, 128, 255]], np.uint8)
    expected = [[0, 0, 255, 255]]
    for mask in (
        values,
        Image.fromarray(values),
        Image.fromarray(np.stack([values] * 3, -1)),
        values / 255.0,
    ):
        np.testing.assert_array_equal(np.asarray(as_mask(mask)), expected)
    np.testing.assert_array_equal(np.asarray(as_mask(values > 127)), expected)
    np.testing.assert_array_equal(
        np.asarray(as_mask(Image.fromarray(values).convert("1", dither=0))), expected
    )
    assert as_mask(values).mode == "L"


def test_mask_with_opaque_alpha_is_fine():
    mask = random_mask()
    np.testing.assert_array_equal(np.asarray(as_mask(mask.convert("RGBA"))), np.asarray(mask))


@pytest.mark.parametrize("colour", [0, 255])
def test_mask_in_the_alpha_channel_only(colour):
    grey = Image.new("L", (48, 32), colour)
    with pytest.raises(ValueError, match=r"alpha channel only.*from_alpha"):
        as_mask(Image.merge("LA", (grey, random_mask())))


def nan_picture():
    tensor = torch.rand(3, 32, 48)
    tensor[0, 0, 0] = torch.nan
    return tensor


@pytest.mark.parametrize(
    ("image", "mask", "error", "words"),
    [
        (random_picture(), Image.new("L", (48, 32)), ValueError, "mask is empty.*255"),
        (
            random_picture(),
            random_mask(32, 32),
            ValueError,
            "mask is 32x32 pixels, the picture 48x32.*resize",
        ),
        (random_picture(15, 40), random_mask(15, 40), ValueError, "15x40.*at least 16"),
        (42, random_mask(), TypeError, "image is a int, not a picture"),
        (random_picture(), object(), TypeError, "mask is a object"),
        (nan_picture(), random_mask(), ValueError, "1 pixel values are NaN"),
        (random_picture(), torch.full((32, 48), torch.nan), ValueError, "NaN"),
        (
            torch.rand(3, 32, 48) * 2 - 1,
            random_mask(),
            ValueError,
            r"expected floats from 0 to 1.*\(x \+ 1\) / 2",
        ),
        (np.full((32, 48, 3), 300), random_mask(), ValueError, "from 300 to 300"),
        (np.zeros((32, 48, 3), complex), random_mask(), TypeError, "complex"),
        (np.zeros((3, 32, 48), np.uint8), random_mask(), ValueError, r"1, 3 or 4 channels.*\(3, 32, 48\)"),
        (random_picture(), np.zeros((32, 48, 2), np.uint8)[None], ValueError, "one channel"),
        (random_picture(), np.eye(32, 48, dtype=np.uint8), ValueError, r"0 and 1 as uint8.*astype\(bool\)"),
        (random_picture(), torch.eye(32, 48, dtype=torch.long), ValueError, r"0 and 1 as int64.*mask\.bool"),
        (
            random_picture(),
            Image.fromarray(np.eye(32, 48, dtype=np.uint8)),
            ValueError,
            r"asarray\(mask\) > 0",
        ),
        (random_picture(), Image.fromarray(np.eye(32, 48, dtype=np.int32)), ValueError, "0 and 1 as int32"),
        ([], random_mask(), ValueError, "empty list"),
        (None, random_mask(), TypeError, "image is missing"),
        ("no/such.png", random_mask(), FileNotFoundError, "no picture at 'no/such.png'"),
    ],
)
def test_refused_with_words(image, mask, error, words):
    with pytest.raises(error, match=words):
        picture_and_mask(image, mask)


def test_file_that_is_no_picture(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes.png' is not a picture"):
        as_array(tmp_path / "notes.png")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: give the path of a picture in it"):
        as_array(tmp_path)


def test_a_mask_that_the_size_to_work_at_swallows_is_refused():
    mask = Image.new("L", (256, 256))
    mask.putpixel((100, 70), 255)
    with pytest.raises(ValueError, match=r"too small for 64x64 pixels.*Grow it"):
        picture_and_mask(random_picture(256, 256), mask, (64, 64))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_file(tmp_path, kind):
    whole = io.BytesIO()
    random_picture(64, 64).save(whole, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    for source in (path, str(path), Image.open(path)):
        with pytest.raises(ValueError, match=r"cut\.\w+' cannot be read to its end.*cut off or damaged"):
            as_array(source)
