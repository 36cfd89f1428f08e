"""Computes the classifier score: the Inception score, with a digit classifier in Inception's place.

Salimans et al., "Improved Techniques for Training GANs", arXiv 1606.03498.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import Bools

UNSURE_BELOW = 0.9


def classifier_score(probabilities: NDArray[Any]) -> float:
    """exp(E KL(p(y|x) || p(y))) of class probabilities [N, C], from 1 to C.

    Aim at the value of real data: it is nearly blind to collapse within classes, and rises above real data where a
    generator draws only easy digits. Raises MetricError unless the rows are probabilities.
    """
    p = checks.probabilities(probabilities)
    marginal = p.mean(axis=0)
    ratio = np.divide(p, marginal, out=np.ones_like(p), where=p > 0)  # p log p is 0 at p = 0
    return float(np.exp(np.mean(np.sum(p * np.log(ratio), axis=1))))


def unsure(probabilities: NDArray[Any], threshold: float = UNSURE_BELOW) -> Bools:
    """Flags samples [N] with no class at ``threshold`` (0..1) or more. Raises MetricError for other rows."""
    if not 0 <= threshold <= 1:
        raise MetricError(f"threshold: got {threshold}; expected 0..1")
    result: Bools = checks.probabilities(probabilities).max(axis=1) < threshold
    return result


def unsure_share(probabilities: NDArray[Any], threshold: float = UNSURE_BELOW) -> float:
    """Share of samples that are :func:`unsure`, 0..1; best where it is that of real data."""
    return float(unsure(probabilities, threshold).mean())
