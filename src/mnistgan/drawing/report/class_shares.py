"""Builds the report's rows of class shares: how often each class is drawn, beside its share in the data."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from mnistgan.drawing.report import dots
from mnistgan.drawing.report.dots import Dots
from mnistgan.drawing.report.numbers import Number
from mnistgan.errors import FormatError
from mnistgan.metrics.intervals import Z

CLASSES = 10
COLUMNS = ("class", "share", "prior")


@dataclass(frozen=True)
class Shares:
    """The share [10] of each class among the samples, and in the data, both 0..1."""

    share: tuple[float, ...]
    prior: tuple[float, ...]

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Parses a metrics/classes.csv; ``name`` stands in messages.

        Raises FormatError where it has not a row for each class, or a share outside 0..1.
        """
        try:
            table = csv.DictReader(io.StringIO(text))
            if lacking := [column for column in COLUMNS if column not in (table.fieldnames or ())]:
                raise FormatError(f"{name}: has no column {' and no '.join(lacking)}; expected {', '.join(COLUMNS)}")
            found = [(int(row["class"]), float(row["share"]), float(row["prior"])) for row in table]
        except (TypeError, ValueError, csv.Error) as error:
            raise FormatError(f"{name}: not the shares of classes: {error}") from error
        if [name for name, _, _ in found] != list(range(CLASSES)):
            raise FormatError(
                f"{name}: {len(found)} rows; expected one for each class from 0 to {CLASSES - 1}, in order"
            )
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


def rows(a: Shares | None, b: Shares | None, samples: float) -> Iterator[ShareRow]:
    """Builds a row for each class, with the band that holds 95% of the shares of as many real images."""
    known = a or b
    if known is None:
        return
    halves = [Z * math.sqrt(prior * (1 - prior) / samples) if samples > 0 else 0.0 for prior in known.prior]
    ends = [end for prior, half in zip(known.prior, halves, strict=True) for end in (prior - half, prior + half)]
    axis = dots.axis_over([*ends, *(share for side in (a, b) if side for share in side.share)])
    for name, (prior, half) in enumerate(zip(known.prior, halves, strict=True)):
        of_a, of_b = (side.share[name] if side else None for side in (a, b))
        yield ShareRow(
            name=name,
            prior=Number.share(prior),
            a=None if of_a is None else Number.share(of_a),
            b=None if of_b is None else Number.share(of_b),
            dots=dots.draw(
                None if of_a is None else (of_a, None),
                None if of_b is None else (of_b, None),
                prior,
                band=(prior - half, prior + half) if half else None,
                axis=axis,
                percent=True,
            ),
        )
