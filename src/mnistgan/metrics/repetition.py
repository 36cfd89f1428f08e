"""Measures repetition: samples that stand nearer to another sample than real images of their class do to one another.

The birthday test of Arora and Zhang, "Do GANs Actually Learn the Distribution?", arXiv 1706.08224, with real data's
own near-doubles in place of the eye.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import DIGITS, Bools, Floats
from mnistgan.metrics.class_balance import ClassShare, shares_by_class
from mnistgan.metrics.neighbours import kth_nearest, within

EXPECTED = 0.01  # the share of real data that stands as near, by which "near" is set
_LEAST_REAL = 100  # a class: fewer have no first percentile


@dataclass(frozen=True, eq=False)
class Repetition:
    """Share of samples that repeat another, over all and by class [C] (NaN where a class has no sample), in 0..1."""

    share: float
    expected: float
    by_class: Floats
    worst: ClassShare


def repetition(
    generated: NDArray[Any],
    labels: NDArray[Any],
    real: NDArray[Any],
    real_labels: NDArray[Any],
    names: Sequence[str] = DIGITS,
) -> Repetition:
    """Share of generated [N, D] whose nearest other sample of their class is nearer than real data's first percentile.

    ``labels`` [N] and ``real_labels`` [M] are 0..C-1. Neighbours are nearer where a class has more samples, so give as
    many generated as real ones; of fresh real data 1% repeats. Raises MetricError for unlike dimensions, values that
    aren't finite, labels that don't fit, a class with fewer than 100 real samples, or one whose real samples repeat.
    """
    samples, reference = checks.pair(generated, real)
    classes = checks.labels(labels, "labels", len(names), count=len(samples))
    real_classes = checks.labels(real_labels, "real_labels", len(names), count=len(reference))
    repeats = np.zeros(len(samples), bool)
    for number, name in enumerate(names):
        near = _first_percentile(reference[real_classes == number], name)
        members = classes == number
        if np.count_nonzero(members) > 1:
            repeats[members] = _nearer(samples[members], near)
    by_class = shares_by_class(repeats, classes, len(names))
    worst = int(np.nanargmax(by_class))
    return Repetition(float(repeats.mean()), EXPECTED, by_class, ClassShare(names[worst], float(by_class[worst])))


def _first_percentile(real: Floats, name: str) -> float:
    """First percentile of the squared distances from real samples of a class to their nearest other."""
    if len(real) < _LEAST_REAL:
        raise MetricError(f"real: got {len(real)} samples of class {name}; expected {_LEAST_REAL} or more to find 1%")
    near = float(np.quantile(kth_nearest(real, 1), EXPECTED))
    centred = real - real.mean(axis=0)
    if (within(np.full(len(real), near), centred) <= 0).any():
        raise MetricError(f"real: samples of class {name} repeat one another; expected real data without doubles")
    return near


def _nearer(samples: Floats, near: float) -> Bools:
    centred = samples - samples.mean(axis=0)
    result: Bools = kth_nearest(samples, 1) < within(np.full(len(samples), near), centred)
    return result
