"""Paths between two points of the latent space."""

import numpy as np


def slerp(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Walk from ``start`` to ``end`` [D] in ``steps`` points [steps, D], both ends exact, along a great circle.

    A Gaussian in many dimensions lies near a sphere; a straight line would cut through its empty middle, where the
    generator never trained (White, "Sampling Generative Networks", arXiv 1609.04468). Lengths go linearly from one
    end's to the other's. Vectors in one direction, or opposite, or zero have no single circle: they get the line.
    """
    share = np.linspace(0, 1, steps)[:, None]
    first, last = start.astype(np.float64), end.astype(np.float64)
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    path = (1 - share) * first + share * last
    if min(lengths) > 0:
        cosine = np.clip(first @ last / (lengths[0] * lengths[1]), -1, 1)
        angle = np.arccos(cosine)
        if np.sin(angle) > 1e-6:
            length = (1 - share) * lengths[0] + share * lengths[1]
            along = np.sin((1 - share) * angle) * first / lengths[0] + np.sin(share * angle) * last / lengths[1]
            path = length * along / np.sin(angle)
    path[0], path[-1] = first, last
    return path.astype(np.float32)
