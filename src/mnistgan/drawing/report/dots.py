"""Draws dot plots: one quantity of two sides on an axis of its own, with reference values; so too class shares."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from mnistgan.comparison import wording
from mnistgan.comparison.compare import Comparison, Value, Verdict
from mnistgan.comparison.sides import Side
from mnistgan.drawing.report.axes import Axis, Number, Tick, can_be_drawn
from mnistgan.errors import FormatError
from mnistgan.metrics.catalog import Metric, Scale
from mnistgan.metrics.intervals import Interval, Z

WIDTH = 260.0
_EDGE = 18.0
_MOST_TICKS = 4


@dataclass(frozen=True)
class Mark:
    """A value's place, and its interval's ends where it has one."""

    place: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Dots:
    """Places of one row's marks, from left to right on a line ``WIDTH`` long."""

    ticks: tuple[Tick, ...]
    a: Mark | None
    b: Mark | None
    real: float | None = None
    missing_class: float | None = None
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class Cell:
    """One side's text of a row; ``relative``: it over what real images without one class get."""

    number: Number | None
    low: Number | None = None
    high: Number | None = None
    relative: Number | None = None
    said: str = ""


@dataclass(frozen=True)
class MetricRow:
    """One metric of two sides, as a drawing and as the text equal to it."""

    name: str
    better: str
    real: Number | None
    missing_class: Number | None
    a: Cell
    b: Cell
    change: str
    change_interval: str
    p: str
    says: str
    verdict: Verdict
    dots: Dots


def draw(
    a: tuple[float, Interval | None] | None,
    b: tuple[float, Interval | None] | None,
    real: float | None = None,
    missing_class: float | None = None,
    band: tuple[float, float] | None = None,
    axis: Axis | None = None,
    log: bool = False,
    percent: bool = False,
) -> Dots:
    """Places two values with their intervals, and what they are judged by, on ``axis``, else on one of their own."""
    if axis is None:
        shown = [value for side in (a, b) if side for value in (side[0], *_ends(side[1]))]
        axis = axis_over([*shown, *(value for value in (real, missing_class) if value is not None)], log)
    on = axis  # what the functions below see is no longer optional

    def at(value: float | None) -> float | None:
        return None if value is None or not can_be_drawn(value) else on.place(value)

    def mark(side: tuple[float, Interval | None] | None) -> Mark | None:
        place = at(side[0]) if side else None
        return None if side is None or place is None else Mark(place, *map(at, _ends(side[1])))

    return Dots(
        ticks=axis.ticks(_MOST_TICKS, percent),
        a=mark(a),
        b=mark(b),
        real=at(real),
        missing_class=at(missing_class),
        band=(axis.place(band[0]), axis.place(band[1])) if band else None,
    )


def axis_over(values: Iterable[float], log: bool = False) -> Axis:
    """An axis of a row that shows these values."""
    return Axis.over(values, _EDGE, WIDTH - _EDGE, log)


def _ends(interval: Interval | None) -> tuple[float, ...]:
    return (interval.low, interval.high) if interval else ()


def metric_rows(found: Comparison) -> Iterator[MetricRow]:
    """Builds a row for each metric, the one that decides first."""
    for compared in (found.primary, *found.others):
        metric = compared.metric
        missing_class = _beside(metric, (*found.a.members, *found.b.members)[0].figures.leaves, 1)
        real = next((value.real for value in (compared.a, compared.b) if value.real is not None), None)
        change, _, bounds = wording.change(compared).partition(" [")
        yield MetricRow(
            name=metric.short,
            better=metric.better.words,
            real=None if real is None else Number.of(real),
            missing_class=None if missing_class is None else Number.of(missing_class),
            a=_cell(metric, compared.a, found.a),
            b=_cell(metric, compared.b, found.b),
            change=change,
            change_interval=bounds.removesuffix("]").replace(", ", " to "),
            p=wording.p_value(compared.p),
            says=wording.says(compared),
            verdict=compared.verdict,
            dots=draw(_drawn(compared.a), _drawn(compared.b), real, missing_class, log=metric.scale is Scale.LOG),
        )


def _drawn(value: Value) -> tuple[float, Interval | None] | None:
    return None if value.absent else (value.mean, value.interval)


def _cell(metric: Metric, value: Value, side: Side) -> Cell:
    if value.absent:
        return Cell(None, said="missing")
    gaps = [f"{count} {what}" for count, what in ((value.missing, "missing"), (value.not_finite, "NaN")) if count]
    interval = value.interval if value.interval and value.interval.low < value.interval.high else None
    relative = _beside(metric, side.members[0].figures.leaves, 0) if len(side.members) == 1 else None
    return Cell(
        number=Number.of(value.mean),
        low=Number.of(interval.low) if interval else None,
        high=Number.of(interval.high) if interval else None,
        relative=None if relative is None else Number.of(relative),
        said=f"{', '.join(gaps)} of {value.seeds}" if gaps and value.seeds > 1 else "",
    )


def _beside(metric: Metric, leaves: Mapping[str, float], which: int) -> float | None:
    """Of a metric's relative figure (0) and what that is over (1); None where it is no finite number."""
    found = leaves.get(metric.relative[which], math.nan) if metric.relative else math.nan
    return found if math.isfinite(found) else None


COLUMNS = ("class", "share", "prior")


@dataclass(frozen=True)
class Shares:
    """The share [C] of each class among the samples, and in the data, both 0..1."""

    share: tuple[float, ...]
    prior: tuple[float, ...]

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Parses a metrics/classes.csv. Raises FormatError unless it has a row for each class, shares within 0..1.

        Data without classes has no row.
        """
        try:
            table = csv.DictReader(io.StringIO(text))
            if lacking := [column for column in COLUMNS if column not in (table.fieldnames or ())]:
                raise FormatError(f"{name}: has no column {' and no '.join(lacking)}; expected {', '.join(COLUMNS)}")
            found = [(int(row["class"]), float(row["share"]), float(row["prior"])) for row in table]
        except (TypeError, ValueError, csv.Error) as error:
            raise FormatError(f"{name}: not the shares of classes: {error}") from error
        if [name for name, _, _ in found] != list(range(len(found))):
            raise FormatError(f"{name}: {len(found)} rows; expected one for each class from 0 on, in order")
        if not all(0 <= value <= 1 for _, *values in found for value in values):
            raise FormatError(f"{name}: a share outside 0 to 1")
        return cls(tuple(share for _, share, _ in found), tuple(prior for _, _, prior in found))


@dataclass(frozen=True)
class ShareRow:
    """One class, drawn and as text; None where a side has no shares."""

    name: int
    prior: Number
    a: Number | None
    b: Number | None
    dots: Dots


def share_rows(a: Shares | None, b: Shares | None, samples: float) -> Iterator[ShareRow]:
    """Builds a row for each class, with the band that holds 95% of the shares of as many real images."""
    known = a or b
    if known is None or not known.prior:
        return
    halves = [Z * math.sqrt(prior * (1 - prior) / samples) if samples > 0 else 0.0 for prior in known.prior]
    ends = [end for prior, half in zip(known.prior, halves, strict=True) for end in (prior - half, prior + half)]
    axis = axis_over([*ends, *(share for side in (a, b) if side for share in side.share)])
    for name, (prior, half) in enumerate(zip(known.prior, halves, strict=True)):
        of_a, of_b = (side.share[name] if side else None for side in (a, b))
        yield ShareRow(
            name=name,
            prior=Number.share(prior),
            a=None if of_a is None else Number.share(of_a),
            b=None if of_b is None else Number.share(of_b),
            dots=draw(
                None if of_a is None else (of_a, None),
                None if of_b is None else (of_b, None),
                prior,
                band=(prior - half, prior + half) if half else None,
                axis=axis,
                percent=True,
            ),
        )
