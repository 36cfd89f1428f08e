"""Reads and writes metrics/seeds.csv: the figures of several seeds of a recipe, and so the spread between seeds.

One row a seed: the recipe's name, its digest, the seed, the verdict, the pins, then every number of its evaluation by
its dotted name. The digest is of the recipe's params, the data and the pins: elsewhere the spread was not measured.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from mnistgan.comparison.differences import SeedSpread, half_of_mean, pooled
from mnistgan.comparison.figures import PINS, VERDICT, Figures, finite
from mnistgan.errors import FormatError
from mnistgan.metrics.catalog import KNOWN, PRIMARY, Metric, Scale, metrics_in

FIXED = ("recipe", "digest", "seed", VERDICT, PINS)
DIGEST = 12  # hex digits


def recipe_digest(knobs: Mapping[str, Any], data: str, pins: str) -> str:
    """Digest, 12 hex digits, of all that a spread holds for: a recipe's params, the data's digest, and the pins."""
    content = json.dumps({"recipe": dict(knobs), "data": data, "pins": pins}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:DIGEST]


@dataclass(frozen=True)
class SeedRow:
    """One seed's figures."""

    recipe: str
    digest: str
    seed: int
    figures: Figures


@dataclass(frozen=True)
class RecordedSpread:
    """The recorded seeds of one recipe, by whose spread two trainings of one seed each are judged."""

    rows: tuple[SeedRow, ...]

    @property
    def recipe(self) -> str:
        return self.rows[0].recipe

    @property
    def healthy(self) -> list[SeedRow]:
        """The seeds whose samples did not collapse."""
        return [row for row in self.rows if not row.figures.collapsed]

    def values(self, metric: Metric) -> list[float]:
        """The healthy seeds' finite values of a metric, on its scale."""
        return finite(metric, (row.figures for row in self.healthy))

    def of(self, metric: Metric) -> SeedSpread | None:
        """A metric's spread on its own scale; None where fewer than two healthy seeds have it."""
        return pooled([self.values(metric)])


def spread_of(rows: Iterable[SeedRow], digest: str | None) -> RecordedSpread | None:
    """The recorded seeds of the recipe with ``digest``, a seed that comes twice once; None with fewer than two."""
    found = {row.seed: row for row in reversed(list(rows)) if digest is not None and row.digest == digest}
    return RecordedSpread(tuple(found[seed] for seed in sorted(found))) if len(found) >= 2 else None


def dumps(rows: Iterable[SeedRow]) -> str:
    """Writes the rows as CSV text, sorted by recipe and seed, so that the same rows give the same bytes."""
    rows = sorted(rows, key=lambda row: (row.recipe, row.digest, row.seed))
    names = list(dict.fromkeys(name for row in rows for name in row.figures.leaves))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*FIXED, *names])
    for row in rows:
        fixed = (row.recipe, row.digest, row.seed, row.figures.verdict or "", row.figures.pins)
        values = (row.figures.leaves.get(name) for name in names)  # each as it reads back, empty where it is lacking
        table.writerow([*fixed, *("" if value is None else repr(value).removesuffix(".0") for value in values)])
    return text.getvalue()


def loads(text: str, name: str) -> list[SeedRow]:
    """Parses a seeds.csv; ``name`` stands in messages.

    Raises FormatError on another header, one without FID or with a column twice, a row of another length, what is no
    number, a FID that is not above 0, and a seed, or the figures of a healthy one, that come twice.
    """
    try:
        header, *lines = list(csv.reader(io.StringIO(text))) or [[]]
    except csv.Error as error:
        raise FormatError(f"{name}: not a CSV: {error}") from error
    if tuple(header[: len(FIXED)]) != FIXED:
        raise FormatError(f"{name}: begins with {', '.join(header[:5]) or 'nothing'}; expected {', '.join(FIXED)}, ...")
    if PRIMARY not in header or len(set(header)) < len(header):
        twice = [title for title in dict.fromkeys(header) if header.count(title) > 1]
        what = f"the column {twice[0]} comes twice" if twice else f"has no column {PRIMARY}"
        raise FormatError(f"{name}: {what}; `make seeds` writes it anew")
    rows = [_row(header, cells, f"{name}, line {line}") for line, cells in enumerate(lines, start=2) if cells]
    keys = [(row.digest, row.seed) for row in rows]
    if double := next((key for key in keys if keys.count(key) > 1), None):
        raise FormatError(f"{name}: seed {double[1]} of recipe {double[0]} comes twice; keep one of the two")
    seen: dict[tuple[object, ...], int] = {}
    for row in (row for row in rows if not row.figures.collapsed):  # those that did may well have the same picture
        if (first := seen.setdefault((row.digest, row.figures.signature), row.seed)) != row.seed:
            raise FormatError(
                f"{name}: seeds {first} and {row.seed} of recipe {row.digest} have the same figures, so one was not "
                "trained; `make seeds` writes the file anew"
            )
    return rows


def _row(header: Sequence[str], cells: Sequence[str], where: str) -> SeedRow:
    if len(cells) != len(header):
        raise FormatError(f"{where}: {len(cells)} cells; expected {len(header)}, as the header has")
    recipe, digest, seed, verdict, pins = cells[: len(FIXED)]
    try:
        numbers = zip(header[len(FIXED) :], cells[len(FIXED) :], strict=True)
        leaves = {column: float(cell) for column, cell in numbers if cell}
        if wrong := [column for column in leaves if _is_impossible(column, leaves[column])]:
            raise ValueError(f"{wrong[0]} is {leaves[wrong[0]]:g}, not above 0")
        if PRIMARY not in leaves:
            raise ValueError(f"{PRIMARY} is missing")
        return SeedRow(recipe, digest, int(seed), Figures(leaves, pins, verdict or None))
    except ValueError as error:
        raise FormatError(f"{where}: {error}; expected numbers") from error


def _is_impossible(name: str, value: float) -> bool:
    """Whether a figure is not above 0, and so has no logarithm to compare seeds by."""
    metric = KNOWN.get(name)
    return metric is not None and metric.scale is Scale.LOG and not 0 < value < math.inf


@dataclass(frozen=True)
class Summary:
    """One metric over the seeds that have a finite value of it, all on the metric's scale: log FID for FID.

    ``deviation``: between seeds; ``low``, ``high``: the 95% interval of the mean, by Student's t. All three are None
    for one seed.
    """

    metric: Metric
    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    seeds: int

    @property
    def name(self) -> str:
        """The metric with its scale: ``log_fid``, ``coverage``."""
        return f"log_{self.metric.short}" if self.metric.scale is Scale.LOG else self.metric.short


def summarise(figures: Sequence[Figures]) -> list[Summary]:
    """Each metric of seeds that did not collapse, the primary one first; those are counted, not averaged in."""
    healthy = [one for one in figures if not one.collapsed]
    metrics = metrics_in(name for one in healthy for name in one.leaves)
    return [summary for metric in metrics if (summary := _of(metric, healthy))]


def _of(metric: Metric, healthy: Sequence[Figures]) -> Summary | None:
    values = finite(metric, healthy)
    if len(values) < 2:
        return Summary(metric, values[0], None, None, None, 1) if values else None
    mean, half = fmean(values), half_of_mean(values)
    return Summary(metric, mean, stdev(values), mean - half, mean + half, len(values))
