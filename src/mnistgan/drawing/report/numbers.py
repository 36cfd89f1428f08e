"""Formats numbers for a page: rounded for the eye, with the whole value beside for a machine."""

import math
from dataclasses import dataclass

from mnistgan.comparison import wording


@dataclass(frozen=True)
class Number:
    """A value and its text."""

    value: float
    text: str

    @classmethod
    def of(cls, value: float) -> "Number":
        """Rounds to four digits."""
        return cls(value, wording.number(value))

    @classmethod
    def share(cls, value: float) -> "Number":
        """Formats in percent."""
        return cls(value, "NaN" if math.isnan(value) else f"{value:.1%}")
