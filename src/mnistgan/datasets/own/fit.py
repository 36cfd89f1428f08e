"""Brings pictures to 28x28 pixels, as was asked for and never otherwise. Nothing is enlarged."""

from functools import lru_cache

import numpy as np

from mnistgan.datasets.contract import Fit
from mnistgan.datasets.idx import IMAGE_SHAPE
from mnistgan.errors import FormatError

SIDE = IMAGE_SHAPE[0]


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
