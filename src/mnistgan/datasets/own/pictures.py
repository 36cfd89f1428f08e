"""Decodes a PNG or JPEG to grey pixels and brings it to 28x28, as was asked for and never otherwise."""

import io
import warnings
from functools import lru_cache

import numpy as np
from PIL import Image, ImageOps

from mnistgan.datasets.contract import Fit
from mnistgan.datasets.idx import IMAGE_SHAPE
from mnistgan.errors import FormatError

ENDINGS = (".png", ".jpg", ".jpeg")
LARGEST_FILE = 64_000_000  # bytes
SIDE = IMAGE_SHAPE[0]
LONGEST_SIDE = 4096  # pixels; the photograph of a telephone has 4,032
_BIT_DEPTH = 24  # where a PNG says it
_GREY, _COLOUR = ("1", "L"), ("P", "RGB")


def grey_pixels(content: bytes, name: str, grey: bool) -> np.ndarray:
    """Decodes a picture to uint8 [H, W], upright as its EXIF says; colour only with ``grey``, by ITU-R 601's weights.

    ``name`` stands in messages. Raises FormatError for a torn file, colour that is not asked to be made grey, an alpha
    channel, 16 bits a pixel, an animation, or more pixels than a picture has.
    """
    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
            _demand_plain(image, content, name, grey)
            return np.asarray(ImageOps.exif_transpose(image).convert("L"))
    except FormatError:
        raise
    except Exception as error:  # Pillow's own dozen kinds: on a torn file, one bomb or another
        said = "neither PNG nor JPEG" if "cannot identify" in str(error) else error
        raise FormatError(f"{name}: not a whole picture: {said}") from error


def _demand_plain(image: Image.Image, content: bytes, name: str, grey: bool) -> None:
    """Raises FormatError unless the picture, of which the header alone was read, is opaque, of 8 bits and not large."""
    is_png = image.format == "PNG"
    if max(image.size) > LONGEST_SIDE:
        raise FormatError(f"{name}: {image.width} x {image.height} pixels; takes {LONGEST_SIDE} a side at most")
    if (is_png and content[_BIT_DEPTH] == 16) or image.mode.startswith(("I", "F")):
        raise FormatError(f"{name}: 16 bits a pixel; takes 8: which of them count is for you to say")
    if image.mode.endswith(("A", "a")) or "transparency" in image.info:
        raise FormatError(f"{name}: has an alpha channel; takes opaque pictures: lay it on the background you mean")
    if is_png and getattr(image, "n_frames", 1) > 1:
        raise FormatError(f"{name}: an animation; takes single pictures")
    if image.mode not in _GREY + _COLOUR:
        raise FormatError(f"{name}: of mode {image.mode}; takes grey or RGB")
    if image.mode in _COLOUR and not grey:
        raise FormatError(f"{name}: in colour (mode {image.mode}); --grey makes all grey")


def fitted(pictures: np.ndarray, fit: Fit, name: str) -> np.ndarray:
    """Brings grey pictures uint8 [N, H, W] to uint8 [N, 28, 28].

    ``none`` takes 28x28 alone. ``area`` averages the whole picture over 28x28 equal areas, each side by itself.
    ``crop`` first cuts the middle square out, ``pad`` first sets the picture in the middle of a square of 0, of 28x28
    or more. ``name`` stands in messages. Raises FormatError where a picture is of another size or would be enlarged.
    """
    height, width = pictures.shape[1:]
    if (height, width) == IMAGE_SHAPE:
        return pictures
    if fit == "none":
        raise FormatError(
            f"{name}: {width} x {height} pixels; takes 28 x 28, or give --fit: area averages the whole picture, crop "
            "its middle square, pad adds a margin of 0"
        )
    if fit != "pad" and min(height, width) < SIDE:
        raise FormatError(f"{name}: {width} x {height} pixels; --fit {fit} enlarges nothing; --fit pad takes it")
    return averaged(_padded(pictures) if fit == "pad" else _cropped(pictures) if fit == "crop" else pictures)


def averaged(pictures: np.ndarray) -> np.ndarray:
    """Averages uint8 [N, H, W] over 28x28 equal areas: uint8 [N, 28, 28], halves rounded up."""
    height, width = pictures.shape[1:]
    # Sums of whole numbers, which float64 holds exactly: in whatever order they are added, the same bytes.
    sums = _overlaps(height) @ pictures.astype(np.float64) @ _overlaps(width).T
    found: np.ndarray = np.floor(sums / (height * width) + 0.5).astype(np.uint8)
    return found


@lru_cache(maxsize=64)
def _overlaps(size: int) -> np.ndarray:
    """How much of each of ``size`` pixels lies in each of 28 equal parts: float64 [28, size], in 1/28 of a pixel."""
    part, pixel = np.arange(SIDE)[:, np.newaxis] * size, np.arange(size) * SIDE
    shared = np.minimum(part + size, pixel + SIDE) - np.maximum(part, pixel)
    clipped: np.ndarray = np.maximum(shared, 0).astype(np.float64)
    return clipped


def _cropped(pictures: np.ndarray) -> np.ndarray:
    height, width = pictures.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pictures[:, top : top + side, left : left + side]


def _padded(pictures: np.ndarray) -> np.ndarray:
    count, height, width = pictures.shape
    side = max(height, width, SIDE)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((count, side, side), np.uint8)
    square[:, top : top + height, left : left + width] = pictures
    return square
