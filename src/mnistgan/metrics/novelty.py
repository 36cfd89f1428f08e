"""Measures novelty: whether samples stand nearer to the training images than chance has it, as copies do.

The reference images are the training set and a held-out one. A generator that learnt the distribution knows nothing
of which is which, so a sample's nearest reference image is a training image as often as training images are among
them: exactly 5/6 of the time for 50,000 and 10,000. This null holds for any search that treats the two alike.
The test is that of Meehan et al., "A Non-Parametric Test to Detect Data-Copying in Generative Models",
arXiv 2004.05675, in its plainest form.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import SIDE, Images, Integers
from mnistgan.metrics.intervals import Interval, wilson
from mnistgan.metrics.neighbours import nearest
from mnistgan.progress import Progress, silent

SHIFTS = tuple(product((-1, 0, 1), repeat=2))
COMPONENTS = 64
_FURTHEST = 1e6  # times the real spread: further out, float32 tells no reference from another

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Novelty:
    """The share of samples whose nearest reference is a training image, beside the share that chance gives."""

    train_share: float
    null_share: float
    null_deviation: float
    """Standard deviation of ``train_share`` under the null. Samples that share a nearest image count as one draw of it,
    so it grows where samples crowd around few images."""
    copied: Interval
    """The share of copies that would explain ``train_share``: 0 under the null, 1 for copies alone; chance may give
    less than 0."""

    @property
    def excess(self) -> float:
        """How many of its standard deviations ``train_share`` stands above the share that chance gives."""
        return (self.train_share - self.null_share) / self.null_deviation


def novelty_in_pixels(
    generated: NDArray[Any], train: NDArray[Any], held_out: NDArray[Any], progress: Progress = silent
) -> Novelty:
    """Measures novelty by pixels, each image shifted by -1, 0 and 1 px both ways; the nearest shift counts.

    All are uint8 [N, 28, 28]. Distances are Euclidean within the 64 principal components of all reference images,
    which hold 86% of MNIST's variance: a tenth of the work of all pixels over nine shifts, a copy still lies at
    distance zero, and noise on a copy is mostly left out. ``held_out`` are images that training never saw.
    Raises MetricError for other shapes or types, or reference images that are all the same.
    """
    samples = checks.images(generated, "generated")
    # The held-out come first: a tie goes to them, so that no tie is ever taken for a copy.
    references = np.concatenate([checks.images(held_out, "held_out"), checks.images(train, "train")])
    mean, basis = _principal_components(references)
    shifted = np.stack([_project(_shift(samples, *by), mean, basis) for by in SHIFTS], axis=1)
    found = nearest(shifted, _project(references, mean, basis), progress, "nearest images")
    return _novelty(found, len(train), len(held_out))


def novelty_in_features(
    generated: NDArray[Any], train: NDArray[Any], held_out: NDArray[Any], progress: Progress = silent
) -> Novelty:
    """Measures novelty of generated [N, D] against train [T, D] and held-out [V, D] features (Euclidean).

    Raises MetricError for unlike dimensions, values that aren't finite, or references that are all the same.
    """
    samples = checks.features(generated, "generated", least=1)
    parts = checks.features(held_out, "held_out", least=1), checks.features(train, "train", least=1)
    for part, name in zip(parts, ("held_out", "train"), strict=True):
        checks.same_dimension(samples, part, ("generated", name))
    references = np.concatenate(parts)
    checks.varying(references, "train and held_out")
    centre = references.mean(axis=0)
    references -= centre
    scale = np.abs(references).max()
    queries = (samples - centre) / scale
    if np.abs(queries).max() > _FURTHEST:
        raise MetricError(f"generated: features over {_FURTHEST:g} times the real ones; look at what gave them")
    scaled = (references / scale).astype(np.float32)
    found = nearest(queries.astype(np.float32)[:, None], scaled, progress, "nearest features")
    return _novelty(found, len(train), len(held_out))


def _novelty(found: Integers, train: int, held_out: int) -> Novelty:
    """Computes novelty from the index of each sample's nearest reference, the held-out ones first."""
    null = train / (train + held_out)
    share = float(np.mean(found >= held_out))
    draws = len(found) ** 2 / float(np.sum(np.bincount(found).astype(np.float64) ** 2))
    seen = wilson(share, draws)
    copied = Interval(*((value - null) / (1 - null) for value in (share, seen.low, seen.high)))
    return Novelty(share, null, math.sqrt(null * (1 - null) / draws), copied)


def _shift(images: Images, down: int, right: int) -> Images:
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    return padded[:, 1 - down : 1 - down + SIDE, 1 - right : 1 - right + SIDE]


def _pixels(images: Images) -> Singles:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _principal_components(images: Images) -> tuple[Singles, Singles]:
    """Mean [784] and orthonormal basis [784, 64] of the images' pixels in 0..1. Raises MetricError where none vary."""
    if not np.ptp(images, axis=0).any():
        raise MetricError("train and held_out: all images are the same, so none is nearest; check the data")
    size = SIDE * SIDE
    mean = (images.mean(axis=0, dtype=np.float64).reshape(size) / 255).astype(np.float32)
    scatter = np.zeros((size, size))
    for chunk in np.array_split(images, math.ceil(len(images) / 5000)):
        centred = _pixels(chunk) - mean
        scatter += centred.T @ centred
    vectors = np.linalg.eigh(scatter)[1]
    return mean, vectors[:, -COMPONENTS:].astype(np.float32)


def _project(images: Images, mean: Singles, basis: Singles) -> Singles:
    chunks = np.array_split(images, math.ceil(len(images) / 5000))
    return np.concatenate([(_pixels(chunk) - mean) @ basis for chunk in chunks])
