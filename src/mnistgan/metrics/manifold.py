"""Computes precision, recall, density and coverage: whether samples lie where real data lies, and reach all of it.

Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", arXiv 1904.06991;
Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv 2002.09797.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import Bools
from mnistgan.metrics.neighbours import kth_nearest, squared_distances, within
from mnistgan.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class Manifold:
    """Precision, recall and coverage in 0..1, density from 0, and which real samples it covers.

    Precision and density aim at the value that fresh real data has: a generator that repeats typical digits exceeds it.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    covered: Bools
    """[M]: which real samples have a generated one in their ball, whose radius is the k-th nearest other real one."""


def manifold(generated: NDArray[Any], real: NDArray[Any], k: int = 5, progress: Progress = silent) -> Manifold:
    """Compares generated [N, D] with real [N, D] features by balls that reach each sample's k-th nearest other.

    Raises MetricError where the two counts differ (all four drift with them: 2,000 against 10,000 real on real covers
    .60, not .97), N <= k, values aren't finite, or the real features never vary.
    """
    samples, reference = checks.pair(generated, real)
    _comparable(len(samples), len(reference), k)
    checks.varying(reference, "real")
    centre = reference.mean(axis=0)
    samples, reference = samples - centre, reference - centre
    near_real = within(kth_nearest(reference, k, progress, "neighbours of real"), reference)
    near_sample = within(kth_nearest(samples, k, progress, "neighbours of generated"), samples)
    inside, hits = np.zeros(len(samples), bool), 0
    covered, recalled = np.zeros(len(reference), bool), np.zeros(len(reference), bool)
    for rows, distances in squared_distances(reference, samples, progress, "precision, recall, density, coverage"):
        in_ball = distances < near_real[rows, None]
        hits += int(np.count_nonzero(in_ball))
        inside |= in_ball.any(axis=0)
        covered[rows] = in_ball.any(axis=1)
        recalled[rows] = (distances < near_sample).any(axis=1)
    return Manifold(
        precision=float(inside.mean()),
        recall=float(recalled.mean()),
        density=hits / (k * len(samples)),
        coverage=float(covered.mean()),
        covered=covered,
    )


def expected_coverage(count: int, k: int = 5) -> float:
    """Coverage that ``count`` fresh real samples have of ``count`` real ones, whatever their distribution.

    Seen from one real sample, the other count - 1 real and the count fresh ones come in random order of distance. It
    stays uncovered if the k nearest are all real: the product over i < k of (count - 1 - i) / (2 count - 1 - i).
    Raises MetricError where count <= k.
    """
    _comparable(count, count, k)
    steps = np.arange(k)
    return float(1 - np.prod((count - 1 - steps) / (2 * count - 1 - steps)))


def _comparable(generated: int, real: int, k: int) -> None:
    if generated != real:
        raise MetricError(
            f"got {generated} generated and {real} real samples; expected as many of each: cut the longer"
        )
    if not 1 <= k < real:
        raise MetricError(f"k: got {k} for {real} samples; expected 1..{real - 1}")
