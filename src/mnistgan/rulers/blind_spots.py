"""Spoils real images in ways that a ruler may not see, to measure what it forgives."""

from collections.abc import Callable, Mapping

import numpy as np

SHIFT, STEP = 2, 8  # pixels; grey levels of 255


def haze(images: np.ndarray) -> np.ndarray:
    """Makes every pixel lighter by 8 grey levels."""
    return _grey(images.astype(np.int16) + STEP)


def checkerboard(images: np.ndarray) -> np.ndarray:
    """Makes every other pixel lighter by 8 grey levels, the rest darker."""
    rows, columns = np.indices((28, 28))
    return _grey(images + np.where((rows + columns) % 2, STEP, -STEP).astype(np.int16))


def shifted(images: np.ndarray) -> np.ndarray:
    """Moves images by 2 pixels to the right, where the margin is black."""
    return np.roll(images, SHIFT, axis=2)


def thickened(images: np.ndarray) -> np.ndarray:
    """Dilates strokes: each pixel becomes the lightest of its 3 x 3 neighbours."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    lightest: np.ndarray = np.max([padded[:, y : y + 28, x : x + 28] for y in range(3) for x in range(3)], axis=0)
    return lightest


def blurred(images: np.ndarray) -> np.ndarray:
    """Blurs: each pixel becomes the mean of its 3 x 3 neighbours."""
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1)))
    return _grey(np.rint(sum(padded[:, y : y + 28, x : x + 28] for y in range(3) for x in range(3)) / 9.0))


def repeated(images: np.ndarray) -> np.ndarray:
    """Repeats the first 1,000 images over and over: no picture is wrong, most of the variety is gone."""
    return images[np.arange(len(images)) % min(1000, len(images))]


def untouched(images: np.ndarray) -> np.ndarray:
    """Returns images as they are: the floor."""
    return images


SPOILED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "untouched": untouched,
    "haze_8": haze,
    "checkerboard_8": checkerboard,
    "shifted_2_pixels": shifted,
    "thickened": thickened,
    "blurred": blurred,
    "first_1000_repeated": repeated,
}


def _grey(images: np.ndarray) -> np.ndarray:
    grey: np.ndarray = np.clip(images, 0, 255).astype(np.uint8)
    return grey
