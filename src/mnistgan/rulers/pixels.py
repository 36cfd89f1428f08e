"""The pixel ruler: the first 64 principal components of the training images' pixels.

It is no classifier: haze, stroke weight and position move its features even where every digit stays readable.
What varies faster than its smooth components, a faint checkerboard say, it misses; the power spectrum sees that.
"""

from pathlib import Path

import numpy as np

from mnistgan.errors import RulerError
from mnistgan.rulers import cards

NAME = "pixels"
COMPONENTS = 64
PIXELS = 28 * 28
SHAPES: dict[str, tuple[int, ...]] = {"mean": (PIXELS,), "components": (PIXELS, COMPONENTS)}
# One shape for every product: BLAS may sum another number of rows in another order.
CHUNK = 500


class PixelRuler:
    """The components and their mean; ``digest`` is the sha256 of the file that holds them."""

    def __init__(self, arrays: dict[str, np.ndarray], digest: str) -> None:
        cards.demand(arrays, SHAPES, "the pixel ruler's arrays")
        self.digest = digest
        self._mean = arrays["mean"].astype(np.float64)
        self._components = arrays["components"].astype(np.float64)

    def features(self, images: np.ndarray) -> np.ndarray:
        """Coordinates float64 [N, 64] of images uint8 [N, 28, 28], pixels in [0, 1].

        An image's coordinates have the same bytes alone and in a batch. Raises RulerError for another shape or dtype.
        """
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
            raise RulerError(f"images are {images.dtype} {list(images.shape)}; the pixel ruler takes uint8 [N, 28, 28]")
        flat = images.reshape(len(images), PIXELS)
        features = np.empty((len(images), COMPONENTS))
        chunk = np.zeros((CHUNK, PIXELS))
        for start in range(0, len(images), CHUNK):
            part = flat[start : start + CHUNK]
            chunk[: len(part)] = part / 255.0 - self._mean
            features[start : start + len(part)] = (chunk @ self._components)[: len(part)]
        return features


def fit(images: np.ndarray) -> dict[str, np.ndarray]:
    """Mean [784] and components [784, 64], float32, of images uint8 [N, 28, 28]; widest first, signs settled."""
    flat = images.reshape(len(images), PIXELS)
    mean = flat.mean(axis=0, dtype=np.float64) / 255.0
    covariance = np.zeros((PIXELS, PIXELS))
    for start in range(0, len(flat), 5000):  # the whole in float64 would take 300 MB
        centred = flat[start : start + 5000] / 255.0 - mean
        covariance += centred.T @ centred / len(flat)
    _, vectors = np.linalg.eigh(covariance)
    components = vectors[:, ::-1][:, :COMPONENTS]
    largest = np.abs(components).argmax(axis=0)
    components = components * np.sign(components[largest, np.arange(COMPONENTS)])
    return {"mean": mean.astype(np.float32), "components": components.astype(np.float32)}


def explained(images: np.ndarray, ruler: PixelRuler) -> float:
    """The share of the images' pixel variance that the components hold."""
    total = (images.reshape(len(images), PIXELS) / 255.0).var(axis=0).sum()
    return float(ruler.features(images).var(axis=0).sum() / total)


def load(folder: Path) -> PixelRuler:
    """Loads the pinned pixel ruler from ``folder``. Raises RulerError where it is not whole and as on its card."""
    arrays, card = cards.read(folder, NAME)
    cards.demand(arrays, SHAPES, str(cards.arrays_path(folder, NAME)))
    return PixelRuler(arrays, card[cards.DIGEST])
