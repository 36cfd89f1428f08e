"""Computes the Fréchet (inception) distance: how far apart two sets lie, each taken for a Gaussian in feature space.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", arXiv 1706.08500.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError
from mnistgan.metrics import checks
from mnistgan.metrics.checks import Floats
from mnistgan.metrics.intervals import Interval, student
from mnistgan.progress import Progress, silent

_LEAST_BLOCKS = 10  # fewer give a spread too rough for an interval
_SPLITS = (1, 2, 3, 4, 5)  # FID-infinity reads the trend from N down to N/5, where the bias is still straight in 1/N


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean [D] and covariance [D, D] (divided by N - 1) of samples."""

    mean: Floats
    covariance: Floats

    @cached_property
    def root(self) -> Floats:
        """The symmetric square root [D, D] of the covariance; kept, since one real set meets many generated ones."""
        values, vectors = np.linalg.eigh(self.covariance)
        # What rounding leaves of a zero eigenvalue would count 10^8 times over under the root.
        floor = values[-1] * len(values) * np.finfo(np.float64).eps
        root: Floats = (vectors * np.sqrt(np.where(values > floor, values, 0.0))) @ vectors.T
        return root


def gaussian(features: NDArray[Any], name: str = "features") -> Gaussian:
    """Computes mean and covariance of features [N, D].

    Raises MetricError where N <= D: the covariance would lack dimensions for want of samples, not of variety, and
    the distance would mean nothing. Features that never vary are fine: their variance is truly zero.
    """
    values = checks.features(features, name)
    _enough(len(values), values.shape[1], name)
    return _gaussian(values)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Fréchet distance of two Gaussians, |m1 - m2|² + tr(S1 + S2) - 2 tr((S1^½ S2 S1^½)^½), 0 or more.

    The last trace is the sum of the singular values of S1^½ S2^½, whose squares are the eigenvalues of the symmetric
    form. Taken so, a covariance that lacks dimensions costs no accuracy, and nothing becomes complex.
    Raises MetricError where the dimensions differ.
    """
    if first.mean.shape != second.mean.shape:
        raise MetricError(
            f"Gaussians of {len(first.mean)} and {len(second.mean)} features; expected one layer of one network"
        )
    overlap = np.linalg.svd(first.root @ second.root, compute_uv=False).sum()
    apart = np.sum((first.mean - second.mean) ** 2)
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * overlap
    return max(0.0, float(apart + spread))  # equal Gaussians may round to -1e-15


def fid(generated: NDArray[Any], real: NDArray[Any]) -> float:
    """Computes FID of generated [N, D] against real [M, D] features, in the features' squared unit; 0 is best.

    It is biased upwards by about a/N + b/M: compare it at one N and M, and with the floor that real data gives.
    Raises MetricError for unlike dimensions, values that aren't finite, or N or M of D or fewer.
    """
    samples, reference = checks.pair(generated, real)
    return frechet_distance(gaussian(samples, "generated"), gaussian(reference, "real"))


def fid_interval(
    generated: NDArray[Any], real: NDArray[Any], blocks: int = 20, progress: Progress = silent
) -> Interval:
    """Computes FID of generated [N, D] against real [M, D], with a 95% interval by a jackknife over ``blocks``.

    The real set is held fixed: the interval says where FID at this N would fall for other latents, bias included.
    Leaving blocks out, unlike drawing with replacement, doesn't add the bias of 1/N a second time. Blocks are runs of
    neighbouring samples, so samples must come in no order of their own (latents don't; a sorted dataset does).
    Raises MetricError as :func:`fid` does, also where a block less leaves D samples or fewer.
    """
    samples, reference = checks.pair(generated, real)
    if not _LEAST_BLOCKS <= blocks <= len(samples):
        raise MetricError(f"blocks: got {blocks}; expected {_LEAST_BLOCKS}..{len(samples)}, the number of samples")
    _enough(len(samples) - math.ceil(len(samples) / blocks), samples.shape[1], "generated less one block")
    target = gaussian(reference, "real")
    value = frechet_distance(_gaussian(samples), target)
    others = []
    for done, rest in enumerate(_each_left_out(samples, blocks), start=1):
        others.append(frechet_distance(rest, target))
        progress("FID interval", done, blocks)
    half = student(blocks - 1) * math.sqrt((blocks - 1) * np.var(others))
    return Interval(value, value - half, value + half)


def fid_infinity(generated: NDArray[Any], real: NDArray[Any], progress: Progress = silent) -> float:
    """Estimates the FID of generated [N, D] for N without end, against the same real [M, D]; may be below 0.

    Chong and Forsyth, "Effectively Unbiased FID and Inception Score", arXiv 1911.07023: FID is a straight line in 1/N,
    read here at 1/N = 0. They fit it through random subsets; here each point is the mean over all of 1 to 5 disjoint
    parts of N, which uses every sample at every point and needs no seed. The bias of the real set's size remains.
    Raises MetricError as :func:`fid` does, also where a fifth of N is D samples or fewer.
    """
    samples, reference = checks.pair(generated, real)
    _enough(len(samples) // _SPLITS[-1], samples.shape[1], f"generated, split in {_SPLITS[-1]}")
    target = gaussian(reference, "real")
    means = []
    for done, parts in enumerate(_SPLITS, start=1):
        means.append(np.mean([frechet_distance(_gaussian(part), target) for part in np.array_split(samples, parts)]))
        progress("FID-infinity", done, len(_SPLITS))
    return float(np.polynomial.Polynomial.fit(np.divide(_SPLITS, len(samples)), means, deg=1).convert().coef[0])


def _gaussian(values: Floats) -> Gaussian:
    mean = values.mean(axis=0)
    centred = values - mean
    return Gaussian(mean, centred.T @ centred / (len(values) - 1))


def _each_left_out(samples: Floats, blocks: int) -> Iterator[Gaussian]:
    centre = samples.mean(axis=0)
    parts = np.array_split(samples - centre, blocks)
    sums = np.stack([part.sum(axis=0) for part in parts])
    products = np.stack([part.T @ part for part in parts])
    total, product = sums.sum(axis=0), products.sum(axis=0)
    for part, left_sum, left_product in zip(parts, sums, products, strict=True):
        count = len(samples) - len(part)
        mean = (total - left_sum) / count
        covariance = (product - left_product - count * np.outer(mean, mean)) / (count - 1)
        yield Gaussian(centre + mean, covariance)


def _enough(count: int, dimension: int, name: str) -> None:
    if count <= dimension:
        raise MetricError(
            f"{name}: got {count} samples of {dimension} features; a covariance needs more samples than features, "
            f"{dimension + 1} or more"
        )
