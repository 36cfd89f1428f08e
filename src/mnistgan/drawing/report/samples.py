"""Cuts samples out of a picture and sorts them by how sure the classifier is.

The classifier is the pinned ruler, worked out in NumPy: 256 images take it a tenth of the time that importing
TensorFlow does. Its probabilities are for the eye; what is measured is measured by :mod:`mnistgan.rulers.classifier`.
"""

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mnistgan.drawing.grids import SIDE, TRAINING_SIDE
from mnistgan.drawing.pictures.encoding import with_greys
from mnistgan.drawing.report.axes import Number
from mnistgan.errors import FormatError, RulerError

MOST_PIXELS = 4_000_000  # of a picture that is opened
SHOWN = 12  # samples at each end
_LAYERS = ("conv_1", "conv_2", "conv_3")


@dataclass(frozen=True)
class Sample:
    """One sample: its place among the fixed latents, its picture, and the digit that the classifier reads in it."""

    place: int
    source: str
    digit: int
    confidence: Number


@dataclass(frozen=True)
class Ranked:
    """The samples that the classifier is surest of, and those it is least sure of, each from the end inwards."""

    best: tuple[Sample, ...]
    worst: tuple[Sample, ...]


def read(content: bytes, name: str) -> np.ndarray:
    """Reads a grey PNG as uint8 [H, W]. Raises FormatError where it is no PNG, or a large one."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise FormatError(f"{name}: {image.width} x {image.height} pixels; expected {MOST_PIXELS:,} at most")
            return np.asarray(image.convert("L"))
    except FormatError:
        raise
    except Exception as error:  # Pillow's own dozen kinds, on a torn file
        raise FormatError(f"{name}: not a whole PNG: {error}") from error


def cut(sheet: np.ndarray, rows: int = TRAINING_SIDE, columns: int = TRAINING_SIDE) -> np.ndarray | None:
    """Cuts a sheet into its samples [rows * columns, 28, 28]; None where its sides are not those of such a sheet.

    As render draws it without labels: every pixel enlarged to 2 x 2 or 3 x 3, 2 pixels between samples, and a margin as
    wide at the left and right as below, which is 12 pixels of the enlarged.
    """
    height, width = sheet.shape
    for scale in (2, 3):
        pitch, margin = SIDE * scale + 2, 12 * scale
        if width == columns * pitch - 2 + 2 * margin and height > rows * pitch - 2 + margin:
            top = height - margin - (rows * pitch - 2)
            tiles = [
                sheet[top + row * pitch :, margin + column * pitch :][: SIDE * scale : scale, : SIDE * scale : scale]
                for row in range(rows)
                for column in range(columns)
            ]
            return np.stack(tiles)
    return None


def embedded(pixels: np.ndarray) -> str:
    """Encodes grey pixels uint8 [H, W] as a PNG of 16 greys within a ``data:`` address."""
    buffer = io.BytesIO()
    with_greys(Image.fromarray(pixels), 16).save(buffer, "PNG", bits=4)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def rank(images: np.ndarray, weights: Mapping[str, np.ndarray]) -> Ranked:
    """Sorts images uint8 [N, 28, 28] by the classifier's greatest probability. Raises RulerError for other weights."""
    shares = probabilities(images, weights)
    confidence = shares.max(axis=1)
    order = np.argsort(confidence, kind="stable")

    def shown(places: np.ndarray) -> Iterator[Sample]:
        for place in map(int, places):
            # Never rounded up to a certainty that a classifier does not have.
            text = ">99.9%" if confidence[place] > 0.999 else f"{confidence[place]:.1%}"
            number = Number(float(confidence[place]), text)
            yield Sample(place, embedded(images[place]), int(shares[place].argmax()), number)

    return Ranked(best=tuple(shown(order[::-1][:SHOWN])), worst=tuple(shown(order[:SHOWN])))


def probabilities(images: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """p(digit | image) [N, 10] of images uint8 [N, 28, 28], TensorFlow's to 1e-4. Raises as :func:`rank`."""
    try:
        x = images.astype(np.float32)[..., np.newaxis] / np.float32(255)
        for layer in _LAYERS:
            x = _pooled(np.maximum(_convolved(x, weights[f"{layer}/kernel"]) + weights[f"{layer}/bias"], 0))
        x = x.reshape(len(x), -1) @ weights["penultimate/kernel"] + weights["penultimate/bias"]
        logits = np.where(x > 0, x, np.float32(0.1) * x) @ weights["logits/kernel"] + weights["logits/bias"]
    except (KeyError, ValueError) as error:
        raise RulerError(f"the weights are not the classifier's: {error}; restore pretrained/ from git") from error
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def _convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A 3 x 3 convolution, stride 1, same size, as one matrix product a place of the kernel."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    convolved: np.ndarray = np.concatenate(shifted, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])
    return convolved


def _pooled(x: np.ndarray) -> np.ndarray:
    """The greatest of each 2 x 2; an odd last row or column is left out."""
    count, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    pooled: np.ndarray = even.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    return pooled
