"""Reads one evaluation: every number by a dotted name, its pins (what measured it) and its verdict."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from mnistgan.errors import FormatError
from mnistgan.metrics.catalog import PRIMARY, SECTIONS, Metric
from mnistgan.metrics.looks import REPEATED
from mnistgan.reading import flatten
from mnistgan.rulers.pins import Pins

WORDS = PINS, VERDICT = "pins", "verdict"
HEALTHY = "healthy"
FINDINGS = (HEALTHY, "collapsed", "memorised", "unsure")  # the words that a verdict is made of
DROPPED, REPETITION = "classes.dropped", "repetition.value"


@dataclass(frozen=True)
class Figures:
    """The numbers of a metrics/evaluation.json.

    ``leaves``: each number by its dotted name, in the file's order, NaN where the file holds NaN or null. ``verdict``:
    the file's own with its evidence, None where it has none.
    """

    leaves: Mapping[str, float]
    pins: str
    verdict: str | None

    @classmethod
    def of(cls, report: Any, name: str) -> Self:
        """The figures of a parsed metrics file; ``name`` stands in messages.

        Raises FormatError where it is no mapping, holds no numbers or no pins, or words where a number belongs;
        PinsError where its pins are none.
        """
        if not isinstance(report, Mapping) or PINS not in report:
            raise FormatError(
                f"{name}: has no pins, so it is no metrics/evaluation.json; `dvc repro evaluate` writes one"
            )
        Pins.parse(str(report[PINS]))
        try:
            leaves = dict(_numbers({key: held for key, held in report.items() if key not in WORDS}))
        except ValueError as error:
            raise FormatError(f"{name}, {error}; `dvc repro evaluate` writes it anew") from error
        if not leaves:
            raise FormatError(f"{name}: holds no numbers; `dvc repro evaluate` writes some")
        return cls(leaves, str(report[PINS]), None if report.get(VERDICT) is None else str(report[VERDICT]))

    @property
    def findings(self) -> tuple[str, ...]:
        """First words of the verdict's parts: ``("healthy",)``, ``("memorised", "unsure")``."""
        return tuple(re.split(r"[\s:]", part.strip())[0] for part in (self.verdict or "").split(";") if part.strip())

    @property
    def collapsed(self) -> bool:
        """Whether a class is dropped or a fifth of the samples repeat: a seed that no average should hold.

        The verdict's own word is stricter: it names a class at nine tenths of its share, which seeds may differ by.
        """
        return self.leaves.get(DROPPED, 0) > 0 or self.leaves.get(REPETITION, 0) >= REPEATED

    @property
    def seed_of(self) -> tuple[str, str]:
        """What tells a seed from others wherever it is recorded: pins and FID."""
        return self.pins, repr(self.leaves.get(PRIMARY))

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """A value that is equal for equal pins and figures, NaN included."""
        return (self.pins, *sorted((name, repr(value)) for name, value in self.leaves.items()))


def finite(metric: Metric, figures: Iterable[Figures]) -> list[float]:
    """The finite values of a metric, on its scale."""
    scaled = (metric.scale.of(one.leaves.get(metric.name, math.nan)) for one in figures)
    return [value for value in scaled if math.isfinite(value)]


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every number by its dotted name. Raises ValueError on a word, a class's name aside, among known figures."""
    for name, value in flatten(report):
        if value is None:
            yield name, math.nan
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
        elif name.partition(".")[0] in SECTIONS and not name.endswith("class"):
            raise ValueError(f"{name}: got {str(value)[:40]!r}, expected a number")
