"""Draws two trainings' curves over each other as SVG, from their CSVs."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mnistgan.drawing.evenly import evenly
from mnistgan.drawing.report.axes import Axis, Number, Tick, can_be_drawn
from mnistgan.errors import FormatError
from mnistgan.metrics.catalog import METRICS, Scale

WIDTH, HEIGHT = 340.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 50.0, 10.0, 26.0
MOST_ROWS = 12  # of a table of curves
_NAME_WIDTH, _NAME_HEIGHT = 34.0, 12.0
_MOST_MARKED = 12  # points of a curve that are shown as such
EPOCH = "epoch"

Table = Mapping[str, Sequence[float]]  # columns of numbers by name, all of one length


@dataclass(frozen=True)
class Chart:
    """A drawing's columns of a table with the text of each, and whether its axis is logarithmic."""

    columns: Mapping[str, str]
    title: str
    unit: str = ""
    log: bool = False


LOOKS = tuple(
    Chart(
        {metric.look: ""},
        f"{metric.title[0].upper()}{metric.title[1:]}",
        metric.unit or metric.of,
        log=metric.scale is Scale.LOG or metric.unit == "nats",  # a divergence falls by powers of ten too
    )
    for metric in METRICS
    if metric.look
)


@dataclass(frozen=True)
class Line:
    """One side's curve: an SVG path, points where there are few enough to see, and the place of its name."""

    letter: str
    name: str
    path: str
    points: tuple[tuple[float, float], ...]
    name_place: tuple[float, float]


@dataclass(frozen=True)
class Drawn:
    """One drawing of both sides' curves over epochs."""

    title: str
    unit: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    lines: tuple[Line, ...]
    said: str  # what they come to, for who can't see the drawing


def parse(text: str, name: str) -> Table:
    """Parses a CSV of numbers, NaN for what is none. Raises FormatError on a row of another length, or no epochs."""
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[]]
    except csv.Error as error:
        raise FormatError(f"{name}: not a CSV: {error}") from error
    if EPOCH not in header:
        raise FormatError(f"{name}: its columns are {', '.join(header) or 'none'}; expected {EPOCH} among them")
    if wrong := next((row for row in rows if len(row) != len(header)), None):
        raise FormatError(f"{name}: a row of {len(wrong)} cells; expected {len(header)}, as the header has")
    return {column: [_number(row[place]) for row in rows] for place, column in enumerate(header)}


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def draw(chart: Chart, a: Table | None, b: Table | None) -> Drawn | None:
    """Lays the columns of two tables over each other; None where neither has a number there."""
    found = [
        (letter, column, points)
        for column in chart.columns
        for letter, table in (("A", a), ("B", b))
        if (points := list(_points(table, column)))
    ]
    if not found:
        return None
    across = Axis(0.0, max(epoch for *_, points in found for epoch, _ in points) or 1.0, LEFT, WIDTH - RIGHT)
    upward = Axis.over((value for *_, points in found for _, value in points), HEIGHT - BOTTOM, TOP, chart.log)
    lines = (_line(letter, chart.columns[column], points, across, upward) for letter, column, points in found)
    return Drawn(
        title=chart.title,
        unit=chart.unit,
        x=across.ticks(6),
        y=upward.ticks(5),
        lines=tuple(_apart(lines)),
        said="; ".join(_said(letter, chart.columns[column], points) for letter, column, points in found),
    )


def _points(table: Table | None, column: str) -> Iterator[tuple[float, float]]:
    if table is None or column not in table:
        return
    for epoch, value in zip(table[EPOCH], table[column], strict=True):
        if can_be_drawn(epoch) and can_be_drawn(value):
            yield epoch, value


def _line(letter: str, of: str, points: Sequence[tuple[float, float]], across: Axis, upward: Axis) -> Line:
    places = tuple((across.place(epoch), upward.place(value)) for epoch, value in points)
    x, y = places[-1]
    return Line(
        letter=letter,
        name=f"{letter} {of}".strip(),
        path="M" + "L".join(f"{x:g} {y:g}" for x, y in places),
        points=places if len(places) <= _MOST_MARKED else (),
        name_place=(x + 6, y + 4),
    )


def _apart(lines: Iterable[Line]) -> list[Line]:
    """Moves lines' names down where they would touch one above; from the top down."""
    placed: list[Line] = []
    for line in sorted(lines, key=lambda line: line.name_place[1]):
        x, y = line.name_place
        near = [above.name_place[1] for above in placed if abs(above.name_place[0] - x) < _NAME_WIDTH]
        lowest = max(near, default=y - _NAME_HEIGHT) + _NAME_HEIGHT
        placed.append(replace(line, name_place=(x, round(max(y, lowest), 2))))
    return placed


def _said(letter: str, of: str, points: Sequence[tuple[float, float]]) -> str:
    (_, first), (epoch, last) = points[0], points[-1]
    name = f"{letter}, {of} images," if of else letter
    return f"{name} goes from {Number.of(first).text} to {Number.of(last).text} at epoch {epoch:.3g}"


@dataclass(frozen=True)
class Listing:
    """Rows of one side's table, evenly spread over it, first and last among them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Number, ...], ...]
    of: int  # how many rows the table has


def listing(charts: Sequence[Chart], table: Table) -> Listing:
    """Builds the table of the drawn values."""
    columns = (EPOCH, *(column for chart in charts for column in chart.columns if column in table))
    count = len(table[EPOCH])
    rows = (tuple(Number.of(table[column][row]) for column in columns) for row in evenly(range(count), MOST_ROWS))
    return Listing(columns, tuple(rows), count)
