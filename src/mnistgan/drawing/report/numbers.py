"""Numbers as a page shows them: rounded for the eye, with the whole value beside for a machine."""

import math
from dataclasses import dataclass

from mnistgan.comparison import wording


@dataclass(frozen=True)
class Number:
    """A value and what a reader sees of it."""

    value: float
    text: str

    @classmethod
    def of(cls, value: float) -> "Number":
        """Four digits."""
        return cls(value, wording.number(value))

    @classmethod
    def share(cls, value: float) -> "Number":
        """In percent."""
        return cls(value, "NaN" if math.isnan(value) else f"{value:.1%}")
