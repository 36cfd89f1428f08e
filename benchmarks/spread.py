"""Summarises repeated timings: the least, the middle and the most."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Spread:
    """The spread of some values in one unit; machines drift, so one number alone would say nothing."""

    minimum: float
    median: float
    maximum: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of at least one value."""
        return cls(min(values), statistics.median(values), max(values), len(values))

    @classmethod
    def of_ratios(cls, above: Sequence[float], below: Sequence[float]) -> Self:
        """The spread of ``above`` over ``below`` within each round, so that a slow minute slows both."""
        return cls.of([a / b for a, b in zip(above, below, strict=True)])

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.minimum:.4g} to {self.maximum:.4g}, {self.rounds} rounds)"

    def as_json(self) -> dict[str, Any]:
        """Four digits of each, and how many rounds they are of."""
        return {name: _four_digits(value) for name, value in asdict(self).items()}


def _four_digits(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.4g}")
