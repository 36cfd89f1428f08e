"""Measures class balance: whether samples fall into the classes as often as the training data does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import DIGITS, Floats

DROPPED_BELOW = 0.1  # of its prior: a classifier finds a few of any digit among the others' failures
_LEAST_EXPECTED = 5  # a class: below it the chi-squared expectation doesn't hold


@dataclass(frozen=True, eq=False)
class ClassBalance:
    """Shares and prior [C]; divergences in nats; the class furthest below its prior; those nearly absent."""

    shares: Floats
    prior: Floats
    divergence: float  # KL(shares || prior)
    expected_divergence: float  # what as many draws from the prior itself would have on average
    smallest: str
    smallest_ratio: float  # share over prior of the class that is least of its prior
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class ClassShare:
    """A class and a share that belongs to it."""

    name: str
    share: float


def class_prior(labels: NDArray[Any], classes: int = len(DIGITS)) -> Floats:
    """Share [C] of each class among training labels [N]. Raises MetricError where a class has none."""
    counts = np.bincount(checks.labels(labels, "labels", classes), minlength=classes)
    if not counts.all():
        raise MetricError(f"labels: no sample of class {counts.argmin()}; expected all of 0..{classes - 1}")
    prior: Floats = counts / counts.sum()
    return prior


def class_balance(labels: NDArray[Any], prior: NDArray[Any], names: Sequence[str] = DIGITS) -> ClassBalance:
    """Compares the classes that samples fall into, labels [N], with the prior [C].

    Of N draws from the prior, 2 N KL follows chi-squared with C - 1 degrees of freedom, hence (C - 1) / (2 N) expected.
    Raises MetricError where labels or prior don't fit the names, or N is too small to expect 5 of each class.
    """
    prior = np.asarray(prior, np.float64)
    if prior.shape != (len(names),) or not (prior > 0).all() or abs(prior.sum() - 1) > 1e-9:
        raise MetricError(f"prior: got {prior.tolist()}; expected {len(names)} shares above 0 that sum to 1")
    counts = np.bincount(checks.labels(labels, "labels", len(names)), minlength=len(names))
    total = int(counts.sum())
    if total * prior.min() < _LEAST_EXPECTED:
        least = int(np.ceil(_LEAST_EXPECTED / prior.min()))
        raise MetricError(
            f"labels: got {total}; expected {least} or more, {_LEAST_EXPECTED} of each class by the prior"
        )
    shares = counts / total
    ratios = shares / prior
    logs = np.log(ratios, out=np.zeros_like(ratios), where=counts > 0)  # s log s is 0 at s = 0
    smallest = int(ratios.argmin())
    return ClassBalance(
        shares=shares,
        prior=prior,
        divergence=float(np.sum(shares * logs)),
        expected_divergence=(len(names) - 1) / (2 * total),
        smallest=names[smallest],
        smallest_ratio=float(ratios[smallest]),
        dropped=tuple(name for name, ratio in zip(names, ratios, strict=True) if ratio < DROPPED_BELOW),
    )


def shares_by_class(flags: NDArray[Any], labels: NDArray[Any], classes: int = len(DIGITS)) -> Floats:
    """Share [C] of flagged samples in each class, from flags bool [N] and labels [N]; NaN where a class is absent.

    One bad class vanishes in an average over ten. Raises MetricError where the two don't fit each other.
    """
    flagged = checks.boolean(flags, "flags")
    values = checks.labels(labels, "labels", classes, count=len(flagged))
    counts = np.bincount(values, minlength=classes)
    hits = np.bincount(values, weights=flagged, minlength=classes)
    shares: Floats = np.divide(hits, counts, out=np.full(classes, np.nan), where=counts > 0)
    return shares


def lowest_share(flags: NDArray[Any], labels: NDArray[Any], names: Sequence[str] = DIGITS) -> ClassShare:
    """The class with the lowest share of flagged samples, of those present: the worst where flags are good."""
    shares = shares_by_class(flags, labels, len(names))
    worst = int(np.nanargmin(shares))
    return ClassShare(names[worst], float(shares[worst]))


def highest_share(flags: NDArray[Any], labels: NDArray[Any], names: Sequence[str] = DIGITS) -> ClassShare:
    """The class with the highest share of flagged samples, of those present: the worst where flags are bad."""
    shares = shares_by_class(flags, labels, len(names))
    worst = int(np.nanargmax(shares))
    return ClassShare(names[worst], float(shares[worst]))
