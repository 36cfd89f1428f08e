"""Confidence intervals of a figure under sampling."""

import math
from dataclasses import dataclass

Z = 1.959963984540054  # the normal distribution's 97.5% point


def student(degrees: int) -> float:
    """Student's 97.5% point, to 4e-4 for 9 ``degrees`` of freedom or more, by its expansion about the normal's.

    Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    return (
        Z
        + (Z**3 + Z) / (4 * degrees)
        + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * degrees**2)
        + (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * degrees**3)
    )


@dataclass(frozen=True)
class Interval:
    """A value and its 95% interval. It covers the sampling of the generated set and nothing else: no other training
    seed, no other real data, no other ruler."""

    value: float
    low: float
    high: float


def wilson(share: float, count: float) -> Interval:
    """Wilson's score interval of a share seen in ``count`` independent draws, within 0..1 (E. B. Wilson, 1927)."""
    centre = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2)) / (1 + Z**2 / count)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))
