"""Checks the input of every metric: shapes, types, finite values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.errors import MetricError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]
Images = NDArray[np.uint8]

SIDE = 28
DIGITS = tuple(str(digit) for digit in range(10))

_LARGEST = 1e30  # KID raises features to the sixth power and sums 10^8 of them: still finite in float64


def features(array: NDArray[Any], name: str, least: int = 2) -> Floats:
    """Returns features [N, D] as float64. Raises MetricError unless finite, two-dimensional and N >= ``least``."""
    array = np.asarray(array)
    if array.ndim != 2 or array.shape[1] == 0:
        raise MetricError(f"{name}: got shape {list(array.shape)}; expected features [N, D] with D of 1 or more")
    if array.dtype.kind not in "fiu":
        raise MetricError(f"{name}: got dtype {array.dtype}; expected real numbers")
    if len(array) < least:
        raise MetricError(
            f"{name}: got {len(array)} samples of {array.shape[1]} features; expected {least} or more; "
            "measure more samples or fewer features"
        )
    values = array.astype(np.float64)
    broken = np.count_nonzero(~(np.abs(values) <= _LARGEST).all(axis=1))
    if broken:
        raise MetricError(
            f"{name}: {broken} of {len(values)} samples hold NaN, infinite or absurd features (above {_LARGEST:g}); "
            "look at the images and the feature network that gave them"
        )
    return values


def same_dimension(first: Floats, second: Floats, names: tuple[str, str]) -> None:
    """Raises MetricError unless both sets of features [N, D] and [M, D] have one D."""
    if first.shape[1] != second.shape[1]:
        raise MetricError(
            f"{names[0]} has {first.shape[1]} features, {names[1]} has {second.shape[1]}; "
            "expected the same layer of the same feature network"
        )


def varying(values: Floats, name: str) -> None:
    """Raises MetricError where features [N, D] are the same for every sample."""
    if not np.ptp(values, axis=0).any():
        raise MetricError(
            f"{name}: features never vary, so no sample is nearer than another; check the feature network"
        )


def pair(generated: NDArray[Any], real: NDArray[Any], least: int = 2) -> tuple[Floats, Floats]:
    """Returns generated [N, D] and real [M, D] features as float64. Raises MetricError as :func:`features` does."""
    first, second = features(generated, "generated", least), features(real, "real", least)
    same_dimension(first, second, ("generated", "real"))
    return first, second


def images(array: NDArray[Any], name: str) -> Images:
    """Returns images uint8 [N, 28, 28], N >= 1. Raises MetricError for anything else."""
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[1:] != (SIDE, SIDE) or len(array) == 0:
        raise MetricError(
            f"{name}: got {array.dtype} {list(array.shape)}; expected images uint8 [N, {SIDE}, {SIDE}], N of 1 or more"
        )
    return array


def labels(array: NDArray[Any], name: str, classes: int, count: int | None = None) -> Integers:
    """Returns labels [N] in 0..classes-1 as int64. Raises MetricError for other values or another ``count``."""
    array = np.asarray(array)
    if array.ndim != 1 or array.dtype.kind not in "iu" or len(array) == 0:
        raise MetricError(f"{name}: got {array.dtype} {list(array.shape)}; expected whole numbers [N], N of 1 or more")
    if count is not None and len(array) != count:
        raise MetricError(f"{name}: got {len(array)}; expected one for each of the {count} samples")
    if array.min() < 0 or array.max() >= classes:
        raise MetricError(f"{name}: got {array.min()}..{array.max()}; expected 0..{classes - 1}")
    return array.astype(np.int64)


def probabilities(array: NDArray[Any]) -> Floats:
    """Returns class probabilities [N, C] as float64. Raises MetricError unless each row is >= 0 and sums to 1."""
    values = features(array, "probabilities", least=1)
    if values.min() < 0 or np.abs(values.sum(axis=1) - 1).max() > 1e-4:
        raise MetricError(
            f"probabilities: got values from {values.min():g} and rows summing to {values.sum(axis=1).min():g}.."
            f"{values.sum(axis=1).max():g}; expected values >= 0 in rows that sum to 1: apply softmax to logits first"
        )
    return values


def boolean(array: NDArray[Any], name: str) -> Bools:
    """Returns flags [N] as bool. Raises MetricError for another dtype or shape."""
    array = np.asarray(array)
    if array.dtype != np.bool_ or array.ndim != 1:
        raise MetricError(f"{name}: got {array.dtype} {list(array.shape)}; expected bool [N]")
    return array
