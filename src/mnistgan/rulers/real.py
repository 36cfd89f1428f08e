"""Selects the real images to measure against, and the sets that floors and relative figures are made of."""

from dataclasses import dataclass

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.errors import MetricError

MISSING_CLASS = 8
SUBSET_SEED = 0


@dataclass(frozen=True, eq=False)
class RealData:
    """The three splits."""

    train: Images
    validation: Images
    test: Images

    @property
    def digests(self) -> tuple[str, str, str]:
        """Each split's digest."""
        return self.train.digest, self.validation.digest, self.test.digest


def subset(total: int, count: int, name: str) -> np.ndarray:
    """Indices of ``count`` of ``total`` images, ascending, always the same. Raises MetricError if there are fewer."""
    if count > total:
        raise MetricError(f"{count} samples, but {total} {name} images; measure {total} samples at most")
    return np.sort(fixed_order(total)[:count])  # not the first: MNIST's test images get harder half-way


def fixed_order(count: int) -> np.ndarray:
    """Shuffles 0..count-1, the same way each time."""
    # Of raw keys, since NumPy may change how it shuffles.
    return np.argsort(np.random.PCG64(SUBSET_SEED).random_raw(count), kind="stable")


def without_class(real: RealData, count: int, missing: int = MISSING_CLASS) -> Images:
    """Selects ``count`` real images without one class: validation's first, then as many of train's as it takes."""
    images, labels = (
        np.concatenate([getattr(split, field)[split.labels != missing] for split in (real.validation, real.train)])
        for field in ("images", "labels")
    )
    return Images(images[:count], labels[:count])
