"""Computes the kernel (inception) distance: the squared maximum mean discrepancy of two sets under a cubic kernel.

Bińkowski et al., "Demystifying MMD GANs", arXiv 1801.01401.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import Floats
from mnistgan.progress import Progress, silent

_ROWS = 250  # of the kernel matrix at once: 20 MB against 10,000 samples


@dataclass(frozen=True)
class Kid:
    """The unbiased estimate, and the standard error that its disjoint blocks suggest."""

    value: float
    standard_error: float


def kid(generated: NDArray[Any], real: NDArray[Any], blocks: int = 10, progress: Progress = silent) -> Kid:
    """Computes KID of generated [N, D] against real [M, D] features under k(x, y) = (x·y / D + 1)³.

    The value is the U-statistic over all pairs: unbiased at any N and M, so it falls below 0 about half the time
    where the two sets are alike, and is never clipped. The standard error is that of the mean of ``blocks`` estimates
    from disjoint blocks; near 0 it overstates, since the pairs between blocks help only the value.
    Raises MetricError for unlike dimensions, values that aren't finite, or blocks of fewer than 2 samples.
    """
    samples, reference = checks.pair(generated, real)
    least = min(len(samples), len(reference)) // 2
    if not 2 <= blocks <= least:
        raise MetricError(f"blocks: got {blocks}; expected 2..{least}, two samples or more in each block")
    samples, reference = _extended(samples), _extended(reference)
    pairs = zip(np.array_split(samples, blocks), np.array_split(reference, blocks), strict=True)
    estimates = [_mmd(x, y) for x, y in pairs]
    return Kid(_mmd(samples, reference, progress), float(np.std(estimates, ddof=1) / np.sqrt(blocks)))


def _extended(values: Floats) -> Floats:
    """Extends features to [N, D + 1] whose dot products are x·y / D + 1, so that one matrix product gives them."""
    scaled = values / np.sqrt(values.shape[1])
    return np.concatenate([scaled, np.ones((len(values), 1))], axis=1)


def _mmd(x: Floats, y: Floats, progress: Progress = silent) -> float:
    n, m = len(x), len(y)
    steps = 2 * n + m
    within_x = _kernel_sum(x, x, progress, 0, steps) - _diagonal_sum(x)
    within_y = _kernel_sum(y, y, progress, n, steps) - _diagonal_sum(y)
    across = _kernel_sum(x, y, progress, n + m, steps)
    return float(within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across / (n * m))


def _diagonal_sum(x: Floats) -> float:
    return float(np.sum(np.einsum("nd,nd->n", x, x) ** 3))


def _kernel_sum(x: Floats, y: Floats, progress: Progress, before: int, steps: int) -> float:
    total = 0.0
    for start in range(0, len(x), _ROWS):
        dots = x[start : start + _ROWS] @ y.T
        total += float(np.vdot(dots * dots, dots))
        progress("KID", before + min(start + _ROWS, len(x)), steps)
    return total
