"""Computes the smallest difference that so many seeds a side see, and counts by simulation that they do.

All in plain Python, as the tests are; the simulation draws from recorded seeds and asks the same tests.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist, fmean, stdev

from mnistgan.comparison.differences import LEVEL, SeedSpread, difference, quantile

POWER = 0.8
MOST = 50  # seeds a side that a plan goes to
ONE_SIDED, TWO_SIDED = 1 - LEVEL, 1 - LEVEL / 2
"""The points of Student's t that a difference must pass: where worse alone is asked about, and where better is too."""
_NORMAL = NormalDist()
_STEPS = 100  # of the sum that stands for an integral


@dataclass(frozen=True)
class Plan:
    """So many seeds a side see a difference of ``sees``, on the metric's scale, four times in five.

    ``is_short``: that is more than was asked for, and yet the most seeds that are planned.
    """

    seeds: int
    sees: float
    is_short: bool = False


def plan(spread: SeedSpread, recorded: float, margin: float, present: int, point: float = TWO_SIDED) -> Plan:
    """Plans the fewest seeds a side, ``present`` or more and at most 50, that see a difference of ``margin`` (> 0).

    ``recorded``: the degrees of freedom that other seeds lend the spread, whatever a side's number.
    """
    counts = range(max(present, 1 if recorded else 2), max(present, MOST) + 1)
    found = bisect_left(counts, -margin, key=lambda count: -sees(spread.deviation, recorded, count, point))
    seeds = counts[min(found, len(counts) - 1)]
    return Plan(seeds, sees(spread.deviation, recorded, seeds, point), found == len(counts))


def sees(deviation: float, recorded: float, seeds: int, point: float = TWO_SIDED) -> float:
    """The smallest difference that ``seeds`` a side see four times in five, by Student's t with a pooled spread.

    A group's own seeds add to the ``recorded`` degrees of freedom of the spread. ``point``: one- or two-sided.
    """
    degrees = recorded + 2 * (seeds - 1)
    threshold = quantile(point, degrees)
    low, high = 0.0, threshold
    while _beyond(high, degrees, threshold) < POWER:
        low, high = high, 2 * high
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, degrees, threshold) < POWER else (low, middle)
    return high * deviation * math.sqrt(2 / seeds)


def _beyond(shift: float, degrees: float, threshold: float) -> float:
    """P(T > threshold) of the noncentral t: its normal part given its chi part, summed over the latter."""
    top = 1 + 8 / math.sqrt(2 * degrees)
    constant = degrees / 2 * math.log(degrees / 2) + math.log(2) - math.lgamma(degrees / 2)
    total = 0.0
    for step in range(_STEPS):
        chi = top * (step + 0.5) / _STEPS  # the deviation found over the true one
        density = math.exp(constant + (degrees - 1) * math.log(chi) - degrees * chi * chi / 2)
        total += density * _NORMAL.cdf(shift - threshold * chi)
    return min(1.0, total * top / _STEPS)


@dataclass(frozen=True)
class Seen:
    """What ``seeds`` a side see of made-up pairs of groups, of differences on the metric's scale."""

    seeds: int
    worse: float  # the smallest that is seen four times in five where worse alone is asked about, as `gate` does
    either: float  # the same where better is asked about too, as `diff` does
    false_worse: float  # share of equal pairs that a rule of ``margin`` fails
    false_either: float  # share of equal pairs that are called better or worse
    passing: float  # share of pairs apart by ``harm`` that a rule of ``margin`` passes


def simulate(values: Sequence[float], seeds: int, margin: float, harm: float, pairs: int = 2000, seed: int = 0) -> Seen:
    """Counts what groups of ``seeds`` show, drawn from recorded ``values`` as :func:`resampler` has it.

    Each pair is judged beside a record of as many seeds as ``values``, drawn anew too, as `diff` and `gate` judge it.
    """
    draw = resampler(values, Random(f"{seed}, {seeds}"))  # noqa: S311 - no secret
    found = []
    for _ in range(pairs):
        a, b, recorded = draw(seeds), draw(seeds), draw(len(values))
        if judged := difference(a, b, [a, b, recorded]):
            found.append((judged.estimate, judged.half(ONE_SIDED), judged.half(TWO_SIDED)))
    return Seen(
        seeds,
        _share_point([half - estimate for estimate, half, _ in found]),
        _share_point([half - estimate for estimate, _, half in found]),
        sum(estimate > half and estimate + half > margin for estimate, half, _ in found) / pairs,
        sum(abs(estimate) > half for estimate, _, half in found) / pairs,
        sum(estimate + harm + half <= margin for estimate, half, _ in found) / pairs,
    )


def resampler(values: Sequence[float], random: Random) -> Callable[[int], list[float]]:
    """Makes a function that draws so many values around 0, spread as those recorded are.

    It draws recorded residuals with replacement, each with normal noise of half the deviation, so that no two are the
    same, and shrunk so that the variance is the recorded one (Silverman's smoothed bootstrap).
    """
    mean, deviation, count = fmean(values), stdev(values), len(values)
    residuals = [(value - mean) * math.sqrt(count / (count - 1)) for value in values]

    def draw(number: int) -> list[float]:
        chosen = random.choices(residuals, k=number)
        return [(each + random.gauss(0, deviation / 2)) / math.sqrt(1.25) for each in chosen]

    return draw


def _share_point(values: Sequence[float]) -> float:
    """The value that a share of ``POWER`` stays below."""
    return sorted(values)[math.ceil(POWER * len(values)) - 1]
