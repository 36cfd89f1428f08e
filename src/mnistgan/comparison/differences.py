"""Tests whether two groups of seeds differ: Student's t by a pooled spread, Welch, Fisher, Holm.

All in plain Python: a command that compares two files should not load SciPy for Student's t.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import fmean, stdev

LEVEL = 0.05
GROSS = 0.05  # significance at which groups' spreads are too unlike to be pooled
_TINY = 1e-300
_TERMS = 500


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


@lru_cache(maxsize=256)
def _beta_quantile(probability: float, a: float, b: float) -> float:
    """The value that the beta distribution stays below with ``probability``: of F's shares of the sum of squares."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if _incomplete_beta(middle, a, b) > probability else (middle, high)
    return middle


def _away_from_zero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY


@dataclass(frozen=True)
class Difference:
    """An estimate with its standard error (> 0) and that error's degrees of freedom, for Student's t.

    ``is_pooled``: whether the error is of one spread, that of all groups; else it is of each side's own, or the widest.
    """

    estimate: float
    standard_error: float
    degrees: float
    is_pooled: bool = True

    @property
    def p(self) -> float:
        """Two-sided p value: how often chance alone gives a difference at least so large."""
        return two_sided(self.estimate / self.standard_error, self.degrees)

    def half(self, probability: float) -> float:
        """How far from the estimate the one-sided bound lies that holds with ``probability``."""
        return quantile(probability, self.degrees) * self.standard_error

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval at ``level``."""
        half = self.half((1 + level) / 2)
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class SeedSpread:
    """A standard deviation between seeds, with its degrees of freedom."""

    deviation: float
    degrees: float


Groups = Sequence[Sequence[float]]


def difference(
    a: Sequence[float], b: Sequence[float], groups: Groups | None = None, factor: float = 1.0
) -> Difference | None:
    """Estimates how much larger ``b`` is on average than ``factor`` times ``a``.

    By one spread, pooled within ``groups``, which are independent (the two themselves, if left out). Where the groups'
    spreads are not :func:`alike`, two values or more on both sides are judged by themselves (:func:`welch`), and one
    value by the widest spread. None where a side is empty or nothing varies, so that nothing tells how large a
    difference chance makes.
    """
    groups = [a, b] if groups is None else groups
    if not a or not b:
        return None
    is_pooled = alike(groups)
    if not is_pooled and min(len(a), len(b)) >= 2:
        return welch([factor * value for value in a], b)
    spread = pooled(groups) if is_pooled else widest(groups)
    if spread is None or spread.deviation <= 0:
        return None
    error = spread.deviation * math.sqrt(factor**2 / len(a) + 1 / len(b))
    return Difference(fmean(b) - factor * fmean(a), error, spread.degrees, is_pooled)


def welch(a: Sequence[float], b: Sequence[float]) -> Difference | None:
    """Welch's test (1947) of two independent groups of 2 or more values; None where neither varies."""
    of_a, of_b = (_squares(group) / (len(group) - 1) / len(group) for group in (a, b))
    if of_a + of_b == 0:
        return None
    degrees = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    return Difference(fmean(b) - fmean(a), math.sqrt(of_a + of_b), degrees, is_pooled=False)


def pooled(groups: Groups) -> SeedSpread | None:
    """Pools the spread within groups, whatever lies between them; None where no group has two values."""
    degrees = sum(len(group) - 1 for group in groups if group)
    return SeedSpread(math.sqrt(sum(map(_squares, groups)) / degrees), degrees) if degrees else None


def _squares(group: Sequence[float]) -> float:
    """The sum of squares about the mean; 0 for fewer than two values. The library's variance is ten times slower."""
    middle = fmean(group) if group else 0.0
    return math.fsum((value - middle) ** 2 for value in group)


def widest(groups: Groups) -> SeedSpread | None:
    """The spread of the group that varies most; None where no group has two values."""
    spreads = filter(None, (pooled([group]) for group in groups))
    return max(spreads, key=lambda spread: spread.deviation, default=None)


def alike(groups: Groups) -> bool:
    """Whether groups may be pooled: no spread within one differs grossly from that within the others together.

    By the F test of each beside the others, two-sided, at 5% shared by all (Bonferroni).
    """
    found = [(_squares(group), len(group) - 1) for group in groups if len(group) >= 2]
    total, degrees = sum(squares for squares, _ in found), sum(own for _, own in found)
    tail = GROSS / 2 / max(1, len(found))
    return all(
        _beta_quantile(tail, own / 2, (degrees - own) / 2)
        <= squares / total
        <= _beta_quantile(1 - tail, own / 2, (degrees - own) / 2)
        for squares, own in found
        if own < degrees and total > 0
    )


def half_of_mean(values: Sequence[float]) -> float:
    """Half the width of the 95% interval of the mean of 2 or more values, by Student's t."""
    return quantile(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))


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
