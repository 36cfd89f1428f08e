"""Tests whether two groups of seeds differ (Welch, Fisher, Holm), and computes how many it takes to see a difference.

All in plain Python: a command that compares two files should not load SciPy for Student's t and the chi-square.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist, fmean, stdev, variance

_TINY = 1e-300
_TERMS = 500
_NORMAL = NormalDist()


def two_sided(t: float, degrees: float) -> float:
    """The probability that Student's t with ``degrees`` of freedom (> 0, need not be whole) lies beyond +-``t``."""
    return _incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


@lru_cache(maxsize=256)
def quantile(probability: float, degrees: float) -> float:
    """The value that Student's t stays below with ``probability`` (within 0.5..1), to ten digits."""
    low, high, outside = 0.0, 1.0, 2 * (1 - probability)
    while two_sided(high, degrees) > outside:
        low, high = high, 2 * high
    while high - low > 1e-11 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, degrees) > outside else (low, middle)
    return high


def chi_square_quantile(probability: float, degrees: float) -> float:
    """The chi-square's quantile by Wilson and Hilferty (1931); within 1% for 3 degrees or more at 0.1 and 0.9."""
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + _NORMAL.inv_cdf(probability) * math.sqrt(spread)) ** 3)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b); DLMF 8.17.22's continued fraction by Lentz's method."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # x^a (1-x)^b / B(a, b)
    value, numerator, denominator = 1.0, 1.0, 0.0
    for term in range(_TERMS):
        half, is_odd = divmod(term, 2)
        factors = -(a + half) * (a + b + half) if is_odd else half * (b - half)
        step = factors * x / ((a + term - 1) * (a + term)) if term else 1.0
        denominator = 1 / _away_from_zero(1 + step * denominator)
        numerator = _away_from_zero(1 + step / numerator)
        value *= numerator * denominator
        if abs(numerator * denominator - 1) < 1e-15:
            break
    return front * (value - 1) / a


def _away_from_zero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY


@dataclass(frozen=True)
class Difference:
    """An estimate with its standard error (> 0) and that error's degrees of freedom, for Student's t."""

    estimate: float
    standard_error: float
    degrees: float

    @property
    def p(self) -> float:
        """Two-sided p value: how often chance alone gives a difference at least so large."""
        return two_sided(self.estimate / self.standard_error, self.degrees)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval at ``level``."""
        half = quantile((1 + level) / 2, self.degrees) * self.standard_error
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class SeedSpread:
    """A standard deviation between seeds, with its degrees of freedom."""

    deviation: float
    degrees: float


def difference(a: Sequence[float], b: Sequence[float], spread: SeedSpread | None = None) -> Difference | None:
    """Estimates how much larger ``b`` is than ``a`` on average.

    Two values or more on both sides are judged by themselves (:func:`welch`), else by ``spread``; None where there is
    none of it, a side is empty, or nothing varies, so that nothing tells how large a difference chance makes.
    """
    if not a or not b:
        return None
    if min(len(a), len(b)) >= 2:
        return welch(a, b)
    if spread is None or spread.deviation <= 0:
        return None
    # One value a side: the deviation times the root of 2.
    error = spread.deviation * math.sqrt(1 / len(a) + 1 / len(b))
    return Difference(fmean(b) - fmean(a), error, spread.degrees)


def welch(a: Sequence[float], b: Sequence[float]) -> Difference | None:
    """Welch's test (1947) of two independent groups of 2 or more values; None where neither varies."""
    of_a, of_b = variance(a) / len(a), variance(b) / len(b)
    if of_a + of_b == 0:
        return None
    degrees = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    return Difference(fmean(b) - fmean(a), math.sqrt(of_a + of_b), degrees)


def half_of_mean(values: Sequence[float]) -> float:
    """Half the width of the 95% interval of the mean of 2 or more values, by Student's t."""
    return quantile(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))


def pooled(groups: Sequence[Sequence[float]]) -> SeedSpread | None:
    """Pools the spread within groups, whatever lies between them; None where no group has two values."""
    groups = [group for group in groups if len(group) >= 2]
    degrees = sum(len(group) - 1 for group in groups)
    if not degrees:
        return None
    return SeedSpread(math.sqrt(sum(variance(group) * (len(group) - 1) for group in groups) / degrees), degrees)


def fisher(hits_a: int, count_a: int, hits_b: int, count_b: int) -> float:
    """Fisher's exact test, two-sided: how often chance splits the hits in a way at least as unlikely as this."""
    hits, total = hits_a + hits_b, math.comb(count_a + count_b, hits_a + hits_b)
    ways = [math.comb(count_a, k) * math.comb(count_b, hits - k) for k in range(hits + 1)]
    return sum(way for way in ways if way <= ways[hits_a]) / total


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p values by Holm's method (1979), so that one false finding among them all stays as rare as the level."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    raised = accumulate((min(1.0, p_values[index] * (len(order) - rank)) for rank, index in enumerate(order)), max)
    return [adjusted for _, adjusted in sorted(zip(order, raised, strict=True))]


LEVEL = 0.05
POWER = 0.8
MOST = 50
_SURE = 0.8  # of the interval of the deviation, which makes the range
_STEPS = 100  # of the sums that stand for integrals
_ANGLES = 12


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


def power(effect: float, seeds: int) -> float:
    """Computes how often Welch's test of ``seeds`` (2 or more) a side shows a difference of ``effect`` deviations.

    At the significance of 5%. Both sides have one spread. Their total and the part b of the first are independent,
    and b makes the degrees of freedom, so the noncentral t is averaged over b ~ Beta((n-1)/2, (n-1)/2), written as
    sin^2 of an angle.
    """
    angles = [math.pi / 4 * (point + 0.5) / _ANGLES for point in range(_ANGLES)]  # the other half mirrors it
    weights = [(2 * math.sin(angle) * math.cos(angle)) ** (seeds - 2) for angle in angles]
    found = 0.0
    for angle, weight in zip(angles, weights, strict=True):
        degrees = (seeds - 1) / (math.sin(angle) ** 4 + math.cos(angle) ** 4)
        threshold = quantile(1 - LEVEL / 2, degrees)
        found += weight * _beyond(effect * math.sqrt(seeds / 2), 2 * seeds - 2, threshold)
    return found / sum(weights)


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
    """Seeds a side that show a difference of ``margin`` (> 0) four times in five; a range, by the deviation's."""
    low, high = deviation_range(spread)
    return SeedsNeeded(_seeds(margin, low), _seeds(margin, high))


def deviation_range(spread: SeedSpread) -> tuple[float, float]:
    """The 80% confidence interval of the true deviation."""
    tails = ((1 + _SURE) / 2, (1 - _SURE) / 2)
    low, high = (
        spread.deviation * math.sqrt(spread.degrees / chi_square_quantile(tail, spread.degrees)) for tail in tails
    )
    return low, high


def _seeds(margin: float, deviation: float) -> int | None:
    if deviation <= 0:
        return 2
    counts = range(2, MOST + 1)
    index = bisect_left(counts, POWER, key=lambda count: power(margin / deviation, count))
    return counts[index] if index < len(counts) else None
