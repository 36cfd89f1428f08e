"""Measures control: whether samples of which a class was asked for show that class.

Mirza and Osindero, "Conditional Generative Adversarial Nets", arXiv 1411.1784, told a generator what to draw; what a
sample shows is what a classifier reads, whose own mistakes on real images stand beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.metrics import checks
from mnistgan.metrics.checks import DIGITS, Floats
from mnistgan.metrics.class_balance import ClassShare, lowest_share
from mnistgan.metrics.intervals import Interval, wilson


@dataclass(frozen=True)
class AsAsked:
    """The share of samples read as asked, 0..1, with its 95% interval, and that of the class that is read so least."""

    share: Interval
    worst: ClassShare


def as_asked(read: NDArray[Any], asked: NDArray[Any], names: Sequence[str] = DIGITS) -> AsAsked:
    """Compares the classes read in images [N] with those asked for [N]; of real images, with their labels.

    Raises MetricError where either is no class, or there are more of one.
    """
    seen = checks.labels(read, "read", len(names))
    hits = seen == checks.labels(asked, "asked", len(names), len(seen))
    return AsAsked(wilson(float(hits.mean()), len(hits)), lowest_share(hits, asked, names))


def expected_divergence(read: NDArray[Any], labels: NDArray[Any], prior: Floats) -> float:
    """KL(shares || prior) in nats where classes are asked for by ``prior`` [C] exactly and each shows what real images
    of it do: what the classifier's mistakes alone make of the shares.

    ``read`` [N] and ``labels`` [N] are of real images. With classes drawn at random there would be the draw's own
    divergence instead (:func:`mnistgan.metrics.class_balance.class_balance`).
    """
    counts = np.zeros((len(prior), len(prior)))
    np.add.at(counts, (labels, read), 1)
    shares = prior @ (counts / counts.sum(axis=1, keepdims=True))
    seen = shares > 0
    return float(np.sum(shares[seen] * np.log(shares[seen] / prior[seen])))
