"""Computes how many seeds it takes to see a difference, from the spread between seeds alone."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from statistics import NormalDist

from mnistgan.comparison import distributions
from mnistgan.comparison.differences import SeedSpread

LEVEL = 0.05
POWER = 0.8
MOST = 50
_SURE = 0.8  # of the interval of the deviation, which makes the range
_STEPS = 100  # of the sums that stand for integrals
_ANGLES = 12
_NORMAL = NormalDist()


@dataclass(frozen=True)
class SeedsNeeded:
    """Seeds a side, from ``low`` to ``high``; None is more than 50."""

    low: int | None
    high: int | None

    def __str__(self) -> str:
        """``3``, ``3 to 9``, ``12 to > 50`` or ``> 50``."""
        low, high = (f"> {MOST}" if number is None else str(number) for number in (self.low, self.high))
        return low if low == high else f"{low} to {high}"

    def beyond(self, present: int) -> "SeedsNeeded":
        """How many more seeds than ``present`` those are; at least 0."""
        more = [None if number is None else max(0, number - present) for number in (self.low, self.high)]
        return SeedsNeeded(*more)


def power(effect: float, seeds: int, level: float = LEVEL) -> float:
    """Computes how often Welch's test of ``seeds`` (2 or more) a side shows a difference of ``effect`` deviations.

    At the significance ``level``. Both sides have one spread. Their total and the part b of the first are independent,
    and b makes the degrees of freedom, so the noncentral t is averaged over b ~ Beta((n-1)/2, (n-1)/2), written as
    sin^2 of an angle.
    """
    angles = [math.pi / 4 * (point + 0.5) / _ANGLES for point in range(_ANGLES)]  # the other half mirrors it
    weights = [(2 * math.sin(angle) * math.cos(angle)) ** (seeds - 2) for angle in angles]
    found = 0.0
    for angle, weight in zip(angles, weights, strict=True):
        degrees = (seeds - 1) / (math.sin(angle) ** 4 + math.cos(angle) ** 4)
        threshold = distributions.quantile(1 - level / 2, degrees)
        found += weight * _beyond(effect * math.sqrt(seeds / 2), 2 * seeds - 2, threshold)
    return found / sum(weights)


def power_of_one(effect: float, degrees: int, level: float = LEVEL) -> float:
    """Computes the same for one seed a side, judged by a recorded spread of ``degrees`` of freedom."""
    return _beyond(effect / math.sqrt(2), degrees, distributions.quantile(1 - level / 2, degrees))


def _beyond(shift: float, degrees: float, threshold: float) -> float:
    """P(|T| > threshold) of the noncentral t: its normal part given its chi part, summed over the latter."""
    top = 1 + 8 / math.sqrt(2 * degrees)
    constant = degrees / 2 * math.log(degrees / 2) + math.log(2) - math.lgamma(degrees / 2)
    total = 0.0
    for step in range(_STEPS):
        chi = top * (step + 0.5) / _STEPS  # the deviation found over the true one
        density = math.exp(constant + (degrees - 1) * math.log(chi) - degrees * chi * chi / 2)
        bound = threshold * chi
        total += density * (_NORMAL.cdf(shift - bound) + _NORMAL.cdf(-shift - bound))
    return min(1.0, total * top / _STEPS)


def seeds_needed(spread: SeedSpread, margin: float) -> SeedsNeeded:
    """Seeds a side that show a difference of ``margin`` (in the unit of the spread, > 0) four times in five.

    A range, since the deviation is itself known from few seeds: its 80% interval, by the chi-square.
    """
    low, high = deviation_range(spread)
    return SeedsNeeded(_seeds(margin, low), _seeds(margin, high))


def deviation_range(spread: SeedSpread) -> tuple[float, float]:
    """The 80% confidence interval of the true deviation."""
    tails = ((1 + _SURE) / 2, (1 - _SURE) / 2)
    low, high = (
        spread.deviation * math.sqrt(spread.degrees / distributions.chi_square_quantile(tail, spread.degrees))
        for tail in tails
    )
    return low, high


def _seeds(margin: float, deviation: float) -> int | None:
    if deviation <= 0:
        return 2
    counts = range(2, MOST + 1)
    index = bisect_left(counts, POWER, key=lambda count: power(margin / deviation, count))
    return counts[index] if index < len(counts) else None
