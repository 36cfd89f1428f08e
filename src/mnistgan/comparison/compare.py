"""Compares two sides: better, worse, can't tell yet, identical or measured otherwise; and every metric."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean

from mnistgan.comparison.differences import (
    LEVEL,
    Difference,
    alike,
    difference,
    fisher,
    half_of_mean,
    holm,
    pooled,
    widest,
)
from mnistgan.comparison.figures import finite
from mnistgan.comparison.power import TWO_SIDED, Plan, plan
from mnistgan.comparison.seeds import RecordedSpread, SeedRow, spread_of
from mnistgan.comparison.sides import Side, are_identical, distinct, measured_by_others, measured_otherwise
from mnistgan.errors import PinsError
from mnistgan.metrics.catalog import KNOWN, PRIMARY, Better, Metric, metrics_in, sampling_interval
from mnistgan.metrics.intervals import Interval
from mnistgan.rulers.pins import check_same

MARGIN = 0.25  # the share of FID that planning the number of seeds aims at


class Verdict(StrEnum):
    """Verdict on B compared with A."""

    BETTER = "better"
    WORSE = "worse"
    CANT_TELL = "cant_tell"
    IDENTICAL = "identical"
    OTHERWISE = "measured_otherwise"
    """The records contradict each other, or are not of one measuring: no difference of trainings can be told."""


class Basis(StrEnum):
    """Where the size of a chance difference is taken from: a group of seeds, a record, or nowhere."""

    GROUPS = "groups"  # seeds on both sides, with what is recorded beside
    RECORDED = "recorded"  # the recorded spread of a recipe, since a side has one seed
    OTHER = "other"  # the spread within the other side's seeds, since one side has one seed and nothing is recorded
    NONE = "none"


@dataclass(frozen=True)
class Value:
    """A metric on one side, over the seeds that are averaged.

    ``mean``: on the metric's scale, turned back; NaN where no seed has a finite value. ``interval``: of the sampling
    for one seed, of the mean over seeds for more; None where nothing gives one.
    """

    mean: float
    interval: Interval | None
    real: float | None
    seeds: int
    missing: int
    not_finite: int

    @property
    def absent(self) -> bool:
        """Whether no seed's file has the metric."""
        return self.missing == self.seeds


@dataclass(frozen=True)
class Compared:
    """Both sides' metric; ``difference`` on its scale, ``p`` by Holm unless primary; None where chance is unknown."""

    metric: Metric
    a: Value
    b: Value
    difference: Difference | None
    p: float | None = None
    is_tested: bool = True

    @property
    def estimate(self) -> float:
        """B's mean less A's, on the metric's scale; NaN where either has none."""
        return self.metric.scale.of(self.b.mean) - self.metric.scale.of(self.a.mean)

    @property
    def improves(self) -> bool | None:
        """Whether B's is better; None where neither is, or where no direction is known to be better."""
        if math.isnan(self.estimate) or self.estimate == 0 or self.metric.better is Better.UNKNOWN:
            return None
        if self.metric.better is Better.NEAR:
            if self.a.real is None or self.b.real is None:
                return None
            return abs(self.b.mean - self.b.real) < abs(self.a.mean - self.a.real)
        return (self.estimate > 0) is (self.metric.better is Better.HIGHER)

    @property
    def verdict(self) -> Verdict:
        """The verdict of this metric by itself."""
        if self.p is None or self.p >= LEVEL or self.improves is None:
            return Verdict.CANT_TELL
        return Verdict.BETTER if self.improves else Verdict.WORSE


@dataclass(frozen=True)
class Collapses:
    """How many seeds of each side collapsed, and Fisher's p for it; 1 where none did."""

    a: int
    of_a: int
    b: int
    of_b: int

    @property
    def any(self) -> bool:
        return self.a + self.b > 0

    @property
    def level(self) -> float:
        """Significance level of the primary metric: 5%, halved with Fisher's test where a seed collapsed."""
        return LEVEL / 2 if self.any else LEVEL

    @property
    def p(self) -> float:
        """Fisher's exact test, two-sided."""
        return fisher(self.a, self.of_a, self.b, self.of_b)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the collapses, at half the level, which is their part of it."""
        if not self.any or self.p >= LEVEL / 2:
            return Verdict.CANT_TELL
        return Verdict.WORSE if self.b / self.of_b > self.a / self.of_a else Verdict.BETTER


@dataclass(frozen=True)
class Comparison:
    """The result of comparing two sides."""

    a: Side
    b: Side
    verdict: Verdict
    basis: Basis
    records: tuple[RecordedSpread, ...]  # of either side's recipe, the one in which FID varies more first
    primary: Compared
    others: tuple[Compared, ...]
    collapses: Collapses
    margin: float
    plan: Plan | None  # what would decide it; None where nothing tells how far seeds differ
    notes: tuple[str, ...]
    otherwise: str | None = None  # why it can't be that both were measured, and alike

    @property
    def others_recorded(self) -> int:
        """How many recorded seeds, on neither side, tell the spread beside the sides' own."""
        held = {member.figures.seed_of for side in (self.a, self.b) for member in side.members}
        return sum(row.figures.seed_of not in held for record in self.records for row in record.healthy)


def compare(a: Side, b: Side, recorded: Iterable[SeedRow] = (), margin: float = MARGIN) -> Comparison:
    """Compares two sides of one member or more each.

    ``recorded``: the rows of a seeds.csv, of which those of A's or B's recipe tell the spread beside the sides' own.
    ``margin``: the share of FID, for instance 0.25, whose detection the number of seeds aims at. Raises PinsError
    where two evaluations were measured by different rulers.
    """
    check_pins(a, b)
    otherwise, identical = measured_otherwise(a, b), are_identical(a, b)
    by_others = None if otherwise else measured_by_others(a, b)
    a, repeated_a = distinct(a)
    b, repeated_b = distinct(b)
    rows = list(recorded)
    records = spreads(rows, a, b)
    metrics = metrics_in([PRIMARY, *(name for m in (*a.members, *b.members) for name in m.figures.leaves)])
    by_chance = not (otherwise or identical)
    primary, *others = (_compared(metric, a, b, records, by_chance) for metric in metrics)
    collapses = Collapses(a.collapsed, len(a.members), b.collapsed, len(b.members))
    values = [finite(primary.metric, (member.figures for member in side.healthy)) for side in (a, b)]
    return Comparison(
        a=a,
        b=b,
        verdict=(otherwise and Verdict.OTHERWISE)
        or (Verdict.IDENTICAL if identical else judge(primary.difference, collapses)),
        basis=_basis(values, primary.difference, records),
        records=records,
        primary=replace(primary, p=primary.difference.p if primary.difference else None),
        others=_adjusted(others),
        collapses=collapses,
        margin=margin,
        plan=planned(primary.metric, a, b, records, math.log1p(margin)),
        notes=(*filter(None, [by_others]), *repeated_a, *repeated_b, *_shared(a, b)),
        otherwise=otherwise,
    )


def judge(primary: Difference | None, collapses: Collapses) -> Verdict:
    """The verdict, wrong once in twenty at most: by log FID and by collapses, if any; none where they contradict."""
    found = {collapses.verdict}
    if primary is not None and primary.p < collapses.level:
        found.add(Verdict.BETTER if primary.estimate < 0 else Verdict.WORSE)
    found.discard(Verdict.CANT_TELL)
    return found.pop() if len(found) == 1 else Verdict.CANT_TELL


def check_pins(a: Side, b: Side) -> None:
    """Raises PinsError, naming who and what, unless all members were measured by the same rulers."""
    first, *others = (*a.members, *b.members)
    for other in others:
        try:
            check_same(first.figures.pins, other.figures.pins)
        except PinsError as error:
            raise PinsError(f"{first.name} and {other.name} do not compare: {error}") from error


def spreads(rows: Sequence[SeedRow], a: Side, b: Side) -> tuple[RecordedSpread, ...]:
    """The recorded spreads of A's and B's recipe, the one in which FID varies more first."""
    known = [spread for recipe in dict.fromkeys((a.recipe, b.recipe)) if (spread := spread_of(rows, recipe))]
    known.sort(key=lambda spread: of.deviation if (of := spread.of(KNOWN[PRIMARY])) else 0.0, reverse=True)
    return tuple(known)


def independent(metric: Metric, a: Side, b: Side, records: Sequence[RecordedSpread]) -> list[list[float]]:
    """A metric's values in groups that vary independently: the records, and of each side the seeds that none holds."""
    recorded = [[row.figures for row in record.healthy] for record in records]
    held = {figures.seed_of for record in recorded for figures in record}
    own = [[m.figures for m in side.healthy if m.figures.seed_of not in held] for side in (a, b)]
    return [finite(metric, group) for group in (*own, *recorded)]


def planned(
    metric: Metric, a: Side, b: Side, records: Sequence[RecordedSpread], margin: float, point: float = TWO_SIDED
) -> Plan | None:
    """Plans the seeds a side that see ``margin``, on the metric's scale; half of it where those that are there do.

    Whatever the truth is, it lies half the margin or more from no difference or from the margin.
    """
    groups = independent(metric, a, b, records)
    spread = pooled(groups) if alike(groups) else widest(groups)
    if spread is None or spread.deviation <= 0:
        return None
    recorded = sum(max(0, len(group) - 1) for group in groups[2:]) if alike(groups) else 0
    present = min(len(finite(metric, (member.figures for member in side.healthy))) for side in (a, b))
    found = plan(spread, recorded, margin, present, point)
    return plan(spread, recorded, margin / 2, present, point) if found.seeds == present else found


def _shared(a: Side, b: Side) -> list[str]:
    held = {member.figures.signature for member in a.members}
    shared = [member.name for member in b.healthy if member.figures.signature in held]
    if not shared or held == {member.figures.signature for member in b.members}:
        return []
    return [f"on both sides: {', '.join(shared)}; the groups are not independent, and p says too little"]


def _compared(metric: Metric, a: Side, b: Side, records: Sequence[RecordedSpread], by_chance: bool) -> Compared:
    of_a, of_b = (finite(metric, (member.figures for member in side.healthy)) for side in (a, b))
    found = difference(of_a, of_b, independent(metric, a, b, records)) if by_chance else None
    return Compared(metric, _value(metric, a), _value(metric, b), found, is_tested=by_chance)


def _value(metric: Metric, side: Side) -> Value:
    """A metric over the healthy members; where none is, over all, since a figure is shown in any case."""
    members = side.healthy or side.members
    leaves = [member.figures.leaves for member in members]
    values = finite(metric, (member.figures for member in members))
    missing = sum(metric.name not in held for held in leaves)
    real = [held[metric.real] for held in leaves if metric.real in held] if metric.real else []
    mean, interval = metric.scale.back(fmean(values)) if values else math.nan, None
    if len(leaves) == 1:  # the file's own number, to the last digit
        own = leaves[0].get(metric.name, math.nan)
        mean, interval = own if math.isfinite(own) else math.nan, sampling_interval(metric, leaves[0])
    elif len(values) >= 2:  # the 95% interval of the mean over seeds
        middle, half = fmean(values), half_of_mean(values)
        low, centre, high = map(metric.scale.back, (middle - half, middle, middle + half))
        interval = Interval(centre, low, high)
    return Value(
        mean=mean,
        interval=interval,
        real=fmean(real) if real else None,
        seeds=len(members),
        missing=missing,
        not_finite=len(members) - missing - len(values),
    )


def _adjusted(others: Sequence[Compared]) -> tuple[Compared, ...]:
    """The metrics that do not decide, with Holm's p over those that have any."""
    tested = {other.metric.name: other.difference.p for other in others if other.difference}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return tuple(replace(other, p=adjusted.get(other.metric.name)) for other in others)


def _basis(values: Sequence[Sequence[float]], primary: Difference | None, records: Sequence[RecordedSpread]) -> Basis:
    if primary is None:
        return Basis.NONE
    if min(map(len, values)) >= 2:
        return Basis.GROUPS
    return Basis.RECORDED if records else Basis.OTHER
