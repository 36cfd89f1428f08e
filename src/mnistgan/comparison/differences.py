"""Tests whether two groups of seeds differ: Welch's test, Fisher's exact test, Holm's adjustment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, variance

from mnistgan.comparison import distributions


@dataclass(frozen=True)
class Difference:
    """An estimate with its standard error (> 0) and that error's degrees of freedom, for Student's t."""

    estimate: float
    standard_error: float
    degrees: float

    @property
    def p(self) -> float:
        """Two-sided p value: how often chance alone gives a difference at least so large."""
        return distributions.two_sided(self.estimate / self.standard_error, self.degrees)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval at ``level``."""
        half = distributions.quantile((1 + level) / 2, self.degrees) * self.standard_error
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
    """Difference of two independent groups of 2 or more values whose variances may differ (Welch).

    None where neither varies. B. L. Welch, "The generalization of Student's problem", 1947.
    """
    of_a, of_b = variance(a) / len(a), variance(b) / len(b)
    if of_a + of_b == 0:
        return None
    degrees = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    return Difference(fmean(b) - fmean(a), math.sqrt(of_a + of_b), degrees)


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
    """Adjusts p values (Holm) so that one false finding or more among them all stays less likely than the level.

    S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    raised = accumulate((min(1.0, p_values[index] * (len(order) - rank)) for rank, index in enumerate(order)), max)
    return [adjusted for _, adjusted in sorted(zip(order, raised, strict=True))]
