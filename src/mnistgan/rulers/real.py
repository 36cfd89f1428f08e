"""Selects the real images to measure against, and the sets that floors and relative figures are made of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistgan.datasets.arrays import Images
from mnistgan.errors import MetricError

if TYPE_CHECKING:
    from mnistgan.datasets.contract import DataSet

SUBSET_SEED = 0


@dataclass(frozen=True, eq=False)
class RealData:
    """The three splits of a data set, and its facts."""

    train: Images
    validation: Images
    test: Images
    facts: "DataSet"

    @property
    def named_digests(self) -> dict[str, str]:
        """Each split's digest, by its name."""
        return dict(zip(("train", "validation", "test"), self.digests, strict=True))

    @property
    def missing(self) -> int:
        """The class whose absence is the unit. Raises MetricError where none was chosen."""
        if self.facts.missing_class is None:
            raise MetricError(
                f"no missing_class of {self.facts.title} is chosen; `python -m pipeline dataset rulers` does"
            )
        return self.facts.missing_class

    @property
    def missing_name(self) -> str:
        """Its name."""
        return self.facts.classes[self.missing]

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


def without_class(real: RealData, count: int) -> Images:
    """Selects ``count`` real images without the missing class: validation's first, then train's."""
    images, labels = (
        np.concatenate([getattr(split, field)[split.labels != real.missing] for split in (real.validation, real.train)])
        for field in ("images", "labels")
    )
    return Images(images[:count], labels[:count])
