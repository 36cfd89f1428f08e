"""Measures interpolation: whether images change step by step along a line between two latents, or jump.

A generator that learnt to draw moves evenly; a lookup table stands still and then jumps to another stored image. That
interpolations tell the two apart is an observation of Radford et al., "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", arXiv 1511.06434, section 6.1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks


@dataclass(frozen=True)
class Interpolation:
    """``largest_step``: the largest step's share of its path, averaged over paths that move at all; 0 where none does.
    From ``even`` (all steps alike) to 1 (one jump)."""

    largest_step: float
    even: float


def interpolation(paths: NDArray[Any]) -> Interpolation:
    """Measures paths uint8 [P, S, 28, 28], S of 3 or more, by Euclidean steps. Raises MetricError for another shape."""
    array = np.asarray(paths)
    if array.ndim != 4 or array.shape[1] < 3:
        raise MetricError(f"paths: got shape {list(array.shape)}; expected [P, S, 28, 28] with S of 3 or more")
    count, length = array.shape[:2]
    images = checks.images(array.reshape(-1, *array.shape[2:]), "paths").reshape(count, length, -1)
    steps = np.linalg.norm(np.diff(images.astype(np.float64), axis=1), axis=2)
    moving = steps[steps.any(axis=1)]
    shares = moving.max(axis=1) / moving.sum(axis=1)
    return Interpolation(float(shares.mean()) if len(shares) else 0.0, 1 / (length - 1))
