"""Chooses the training images that are set aside for validation."""

import numpy as np

from mnistgan.errors import DataError


def stratified(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits images in two, each class in the same proportion, as ``seed`` says.

    ``labels`` is uint8 [N]. Returns the indices kept (int64 [N - size]) and those set aside (int64 [size]), both
    ascending, so that the images keep their order. Raises DataError unless 0 < size < N.
    """
    if not 0 < size < len(labels):
        raise DataError(f"can't set {size} of {len(labels)} images aside; takes 1 to {len(labels) - 1}")
    # A raw key an image, not Generator.permutation: NumPy promises the bit stream of PCG64 for good, but not what
    # its distributions make of it.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    aside = np.zeros(len(labels), bool)
    for label, quota in _quotas(labels, size).items():
        members = np.flatnonzero(labels == label)
        aside[members[np.argsort(keys[members], kind="stable")[:quota]]] = True
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def _quotas(labels: np.ndarray, size: int) -> dict[int, int]:
    """Number of each class to set aside: proportional, rounded by largest remainder, ``size`` in total."""
    classes, counts = np.unique(labels, return_counts=True)
    quotas, remainders = np.divmod(size * counts.astype(np.int64), len(labels))
    largest_first = np.argsort(-remainders, kind="stable")
    quotas[largest_first[: size - int(quotas.sum())]] += 1
    return dict(zip(classes.tolist(), quotas.tolist(), strict=True))
