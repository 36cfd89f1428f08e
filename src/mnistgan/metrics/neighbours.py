"""Finds nearest neighbours, by distances taken in blocks of rows: no N x N matrix is ever held."""

from collections.abc import Iterator
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgan.metrics.checks import Floats, Integers
from mnistgan.progress import Progress, silent

_ROWS = 250  # of float64 distances at once: 20 MB against 10,000 samples
_QUERIES, _REFERENCES = 1152, 4096  # of float32 scores at once, variants counted: 19 MB


def squared_distances(rows: Floats, columns: Floats, progress: Progress, task: str) -> Iterator[tuple[slice, Floats]]:
    """Yields squared distances of rows [N, D] to columns [M, D], in blocks; compare them by :func:`within`."""
    left = np.concatenate([rows, _norms(rows), np.ones((len(rows), 1))], axis=1)
    right = np.concatenate([-2 * columns, np.ones((len(columns), 1)), _norms(columns)], axis=1).T.copy()
    buffer = np.empty((min(_ROWS, len(rows)), len(columns)))
    for start in range(0, len(rows), _ROWS):
        stop = min(start + _ROWS, len(rows))
        yield slice(start, stop), np.matmul(left[start:stop], right, out=buffer[: stop - start])
        progress(task, stop, len(rows))


def kth_nearest(points: Floats, k: int, progress: Progress = silent, task: str = "neighbours") -> Floats:
    """Finds the squared distance [N] of each of the points [N, D] to its k-th nearest other point; k in 1..N-1."""
    centred = points - points.mean(axis=0)
    result = np.empty(len(points))
    for rows, distances in squared_distances(centred, centred, progress, task):
        result[rows] = _smallest(distances, k)  # the nearest of all, number 0, is the point itself
    return np.maximum(result, 0.0)


def within(radii: Floats, points: Floats) -> Floats:
    """Lowers the squared radii [N] about points [N, D] by what rounding can do to a distance of that length.

    Below the result means strictly nearer than the radius, also where equal points make radii zero or distances tie.
    """
    rounding = 4 * (points.shape[1] + 2) * np.finfo(np.float64).eps
    shrunk: Floats = radii - rounding * (_norms(points)[:, 0] + radii)
    return shrunk


def nearest(queries: NDArray[Any], references: NDArray[Any], progress: Progress, task: str) -> Integers:
    """Finds the first index [N] of the reference [K, D] nearest to any of the S variants of each query [N, S, D].

    The search runs in float32, whose rounding confuses neighbours only where they tie to one part in 10^5.
    """
    count, variants, _ = queries.shape
    norms = _norms(queries)
    norms -= norms[:, :1]  # only the difference between variants tells: a far query keeps its precision
    left = np.concatenate([2 * queries, -norms, -np.ones((count, variants, 1))], axis=2, dtype=np.float32)
    right = np.concatenate([references, np.ones((len(references), 1)), _norms(references)], axis=1, dtype=np.float32)
    right = right.T.copy()
    result = np.empty(count, np.int64)
    step = max(1, _QUERIES // variants)
    for start in range(0, count, step):
        result[start : start + step] = _best(left[start : start + step], right)
        progress(task, min(start + step, count), count)
    return result


def _best(block: NDArray[np.float32], right: NDArray[np.float32]) -> Integers:
    rows, variants, size = block.shape
    best = np.zeros(rows, np.int64)
    highest = np.full(rows, -np.inf, np.float32)
    for first in range(0, right.shape[1], _REFERENCES):
        scores = block.reshape(rows * variants, size) @ right[:, first : first + _REFERENCES]
        width = scores.shape[1]
        scores = scores.reshape(rows, variants, width).max(axis=1)
        where = scores.argmax(axis=1)
        found = scores[np.arange(rows), where]
        better = found > highest
        best[better] = first + where[better]
        highest[better] = found[better]
    return best


def _norms(points: NDArray[Any]) -> NDArray[Any]:
    norms: NDArray[Any] = np.sum(np.square(points), axis=-1, keepdims=True)
    return norms


def _smallest(values: Floats, k: int) -> Floats:
    """The k-th smallest (from 0) of each row [N, M], an exact partition without its cost.

    The k-th smallest of the minima of groups is never below the k-th smallest of all, so only the few values below it
    need sorting.
    """
    count = values.shape[1]
    width = max(k + 1, isqrt(count))
    depth = count // width
    minima = values[:, : depth * width].reshape(len(values), depth, width).min(axis=1)
    minima = np.concatenate([minima, values[:, depth * width :]], axis=1)
    bound = np.partition(minima, k, axis=1)[:, k]
    row, column = np.nonzero(values < bound[:, None])
    kept = values[row, column]
    order = np.lexsort((kept, row))
    starts = np.searchsorted(row, np.arange(len(values) + 1))
    enough = np.diff(starts) > k
    result = bound.copy()  # where k or fewer lie below the bound, the bound itself is the k-th
    result[enough] = kept[order][starts[:-1][enough] + k]
    return result
