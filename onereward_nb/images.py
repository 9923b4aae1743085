"""Input pictures and masks of whatever kind as plain arrays, or words on what is wrong with them.

A picture may be a PIL image of any mode, a path, a numpy array (height, width[, channels]) or a torch tensor
([channels,] height, width): whole numbers of 8 or 16 bits, or floats from 0 to 1.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SMALLEST_SIDE = 16  # one token of the transformer
ROUNDING = 1e-3  # how far floats may stray from 0 to 1, as they do after resampling


def upright(image):
    """A picture as an RGB PIL image, turned upright as its EXIF data says.

    Transparent pixels are laid over white, 16-bit pictures are scaled to 8 bits.
    """
    pixels = np.rint(as_array(image) * 255).astype(np.uint8)
    return Image.fromarray(pixels)


def as_array(image):
    """A picture as a float32 array (height, width, 3) from 0 to 1.

    TypeError for what is not a picture; ValueError for a broken file, NaN, values out of range or an odd
    shape.
    """
    if isinstance(image, (str, Path, Image.Image)):
        return _from_pil(_opened(image))
    array = _unit_range(_as_numpy(image, "image"))
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ValueError(
            f"A picture has 1, 3 or 4 channels, this one has the shape {_shape_of(image)}: expected "
            "(height, width, channels) for an array, (channels, height, width) for a tensor."
        )
    if array.shape[2] == 4:
        array = _over_white(array)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def as_mask(mask):
    """A mask as a PIL image of mode "L", 255 where to paint and 0 elsewhere, parted at the middle.

    ValueError for a mask that lives in the alpha channel only, where its black or white pixels say nothing, and for
    whole numbers of 0 and 1, which are nearly black.
    """
    if isinstance(mask, (str, Path, Image.Image)):
        mask = _opened(mask)
        if mask.mode.startswith(("L", "I")):
            _not_of_ones(np.asarray(mask))
        if mask.mode == "L":  # as all masks made here are
            return mask.point(lambda value: 255 if value >= 128 else 0)
        painted = _from_pil(mask, over_white=False).mean(axis=2) >= 0.5
        if _has_transparency(mask) and painted.all() | ~painted.any():
            raise ValueError(
                "This mask is painted in the alpha channel only: its colours are the same everywhere. "
                "Turn it into a mask with onereward_nb.masks.from_alpha(image)."
            )
    else:
        array = _as_numpy(mask, "mask")
        _not_of_ones(array)
        array = _unit_range(array)
        if array.ndim == 3 and array.shape[2] in (1, 3):
            array = array.mean(axis=2)
        if array.ndim != 2:
            raise ValueError(
                f"A mask has one channel, this one has the shape {_shape_of(mask)}: expected (height, width)."
            )
        painted = array >= 0.5
    return Image.fromarray(np.where(painted, 255, 0).astype(np.uint8))


def picture_and_mask(images, masks, size=None):
    """The pictures of a batch and their masks, checked against each other.

    images, masks: one or a list, or an array or tensor with a batch dimension. size: (width, height) to bring
        both
    to; None keeps the pictures' own. Returns float32 arrays (n, height, width, 3) from 0 to 1 and (m, height,
    width) of 0 and 1, where n and m may differ if one of them is 1.
    """
    arrays = [as_array(image) for image in _listed(images, "image", single_ndim=3)]
    drawn = [as_mask(mask) for mask in _listed(masks, "mask_image", single_ndim=2)]
    height, width = arrays[0].shape[:2]
    for array in arrays:
        if array.shape[:2] != (height, width):
            raise ValueError(
                f"All pictures of one call must have one size, got {width}x{height} and "
                f"{array.shape[1]}x{array.shape[0]}. Resize them, or edit them one by one."
            )
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(
            f"The picture is {width}x{height} pixels: the model needs at least {SMALLEST_SIDE} on each "
            "side. Enlarge it with image.resize(...)."
        )
    for mask in drawn:
        _check_mask(mask, (width, height))
    if size is not None and size != (width, height):
        arrays = [_resized(array, size) for array in arrays]
        drawn = [_mask_at(mask, size) for mask in drawn]
    return np.stack(arrays), np.stack([np.asarray(mask) > 0 for mask in drawn]).astype(np.float32)


def _check_mask(mask, size):
    if mask.size != size:
        turned = (
            (
                " The picture is turned upright by its EXIF data first: draw the mask on "
                "PIL.ImageOps.exif_transpose(image)."
            )
            if mask.size == size[::-1]
            else ""
        )
        raise ValueError(
            f"The mask is {mask.size[0]}x{mask.size[1]} pixels, the picture {size[0]}x{size[1]}: they must "
            f"match. Use mask.resize(image.size, PIL.Image.NEAREST).{turned}"
        )
    if mask.getbbox() is None:
        raise ValueError(
            "The mask is empty: no pixel is marked for painting. Mark the region to edit in white (255), "
            "e.g. with onereward_nb.masks.box(image, left, top, right, bottom)."
        )


def _not_of_ones(array):
    if array.dtype.kind in "ui" and array.size and array.max() == 1:
        raise ValueError(
            f"This mask holds 0 and 1 as {array.dtype}, where white is 255 and 1 is nearly black: "
            "pass mask.astype(bool) for an array, mask.bool() for a tensor, np.asarray(mask) > 0 for a picture."
        )


def _mask_at(mask, size):
    """A mask at the size to work at. ValueError if so little is masked that nothing of it is left there."""
    resized = as_mask(mask.resize(size, Image.LANCZOS))
    if resized.getbbox() is None:
        raise ValueError(
            f"The mask is too small for {size[0]}x{size[1]} pixels: nothing of it is left at that size. "
            "Grow it with onereward_nb.masks.grow(mask, pixels), or work at a larger height and width."
        )
    return resized


def _listed(images, name, single_ndim):
    """One picture, several, or a batch: always as a list."""
    if images is None:
        raise TypeError(f"{name} is missing: give the picture to edit and a mask of the region to paint.")
    if isinstance(images, (list, tuple)):
        if not images:
            raise ValueError(f"{name} is an empty list: give at least one.")
        return images
    is_array, is_tensor = isinstance(images, np.ndarray), hasattr(images, "detach")
    is_batch = (is_tensor or is_array) and images.ndim > single_ndim
    one_mask = is_array and images.ndim == 3 and images.shape[2] in (1, 3)  # (height, width, 1)
    return list(images) if is_batch and not one_mask else [images]


def _opened(source):
    try:
        image = Image.open(source) if isinstance(source, (str, Path)) else source
        image.load()
        return ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no picture at {str(source)!r}: check the path.") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{str(source)!r} is a folder: give the path of a picture in it.") from None
    except PermissionError:
        raise PermissionError(f"{str(source)!r} may not be read: change its permissions.") from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{str(source)!r} is not a picture that Pillow can read: try a PNG or JPEG file."
        ) from None
    except (OSError, SyntaxError) as error:  # what Pillow raises for a file that ends early or is damaged
        name = getattr(source, "filename", source) or "the picture"
        raise ValueError(
            f"{str(name)!r} cannot be read to its end ({error}): the file is cut off or damaged. "
            "Fetch or save it again."
        ) from error


def _from_pil(image, over_white=True):
    if image.mode.startswith("I") or image.mode == "F":
        array = _unit_range(_sixteen_bit(image))
        return np.repeat(array[..., None], 3, axis=2)
    if over_white and _has_transparency(image):
        return _over_white(_unit_range(np.asarray(image.convert("RGBA"))))
    return _unit_range(np.asarray(image.convert("RGB")))


def _sixteen_bit(image):
    # Pillow's own conversion to 8 bits clips everything above 255. "I" holds 32 bits, but comes from 16-bit
    # files.
    array = np.asarray(image)
    return array.astype(np.uint16) if image.mode == "I" and 255 < array.max() <= 65535 else array


def _has_transparency(image):
    if "A" not in image.getbands() and "a" not in image.getbands() and "transparency" not in image.info:
        return False
    return image.convert("RGBA").getchannel("A").getextrema()[0] < 255


def _over_white(rgba):
    alpha = rgba[..., 3:]
    return np.where(alpha == 1, rgba[..., :3], rgba[..., :3] * alpha + (1 - alpha)).astype(np.float32)


def _as_numpy(data, name):
    if hasattr(data, "detach"):  # a torch tensor, channels first
        data = (
            data.detach().float().cpu().numpy() if data.is_floating_point() else data.detach().cpu().numpy()
        )
        return np.moveaxis(data, 0, -1) if data.ndim == 3 else data
    if isinstance(data, np.ndarray):
        return data
    raise TypeError(
        f"{name} is a {type(data).__name__}, not a picture: give a PIL image, a path, a numpy array or a "
        "torch tensor."
    )


def _unit_range(array):
    """Numbers of any kind as float32 from 0 to 1."""
    if array.dtype == bool:
        return array.astype(np.float32)
    if array.dtype.kind in "ui":
        top = 65535 if array.dtype.kind == "u" and array.dtype.itemsize == 2 else 255
        if array.size and (array.min() < 0 or array.max() > top):
            raise ValueError(
                f"Pixel values go from {array.min()} to {array.max()}, expected whole numbers from 0 to "
                f"{top} (uint8), to 65535 (uint16), or floats from 0 to 1."
            )
        return array.astype(np.float32) / top
    if array.dtype.kind != "f":
        raise TypeError(
            f"Pixels of type {array.dtype} are not understood: use uint8, uint16 or floats from 0 to 1."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"{int((~np.isfinite(array)).sum())} pixel values are NaN or infinite: find where they come "
            "from, or replace them with numpy.nan_to_num."
        )
    if array.size and (array.min() < -ROUNDING or array.max() > 1 + ROUNDING):
        raise ValueError(
            f"Pixel values go from {array.min():.3g} to {array.max():.3g}, expected floats from 0 to 1. "
            "From -1 to 1: use (x + 1) / 2; from 0 to 255: x / 255."
        )
    return array.astype(np.float32).clip(0, 1)


def _resized(array, size):
    return as_array(upright(array).resize(size, Image.LANCZOS))


def _shape_of(data):
    return tuple(data.shape)
