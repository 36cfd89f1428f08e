"""Reads and writes the looks at validation while training: which one is best, and whether the generator has collapsed.

Of the standard library alone: whoever tells of a training reads its looks without loading what made them.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Self, get_type_hints

from mnistgan.errors import FormatError

COLLAPSED_LOOKS = 3  # so many collapsed looks in a row are a collapse; one alone may be a bad moment
REPEATED = 0.21  # share of samples that repeat: a fifth, and the hundredth of real images that do so too
REMEDIES = "what usually helps: another seed, a lower learning_rate, some dropout in the discriminator"


@dataclass(frozen=True)
class Look:
    """One look at the generator as it would be kept, after ``epoch`` epochs and ``step`` steps."""

    epoch: int
    step: int
    fid: float  # on the classifier's penultimate layer, against validation
    fid_pixels: float  # on the pixel ruler's components, against validation
    class_divergence: float  # KL of the samples' classes from the training images', in nats
    missing_class: float
    """The class divergence of a generator that lacks the rarest class and is otherwise perfect, in nats."""
    smallest_ratio: float  # share of the class that is furthest below its prior, over that prior
    dropped: int  # how many classes are nearly gone
    dropped_classes: str  # which, with spaces between
    coverage: float  # share of real images that have a sample among their nearest neighbours
    repetition: float  # share of samples nearer to another one than real images stand

    @property
    def is_collapsed(self) -> bool:
        """Whether it is no better than a generator that lacks a class, or that repeats a fifth of its samples."""
        return bool(self.evidence())

    def evidence(self) -> list[str]:
        """Says why it is collapsed; empty where it isn't."""
        names = self.dropped_classes.replace(" ", ", ")
        found = {
            f"{'class' if self.dropped == 1 else 'classes'} {names} nearly gone ({self.dropped} of 10)": self.dropped
            > 0,
            f"class divergence {self.class_divergence:.3f} nats (a missing class: {self.missing_class:.3f})": (
                self.class_divergence > self.missing_class
            ),
            f"{self.repetition:.0%} of samples repeat (real images: 1%)": self.repetition >= REPEATED,
        }
        return [said for said, holds in found.items() if holds]


COLUMNS = tuple(column.name for column in fields(Look))


@dataclass(frozen=True)
class Collapse:
    """Three or more collapsed looks in a row; as text, the sentence with its evidence."""

    looks: Sequence[Look]
    lasts: bool  # whether the last look of the training is one of them

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Self | None:
        """Finds the last collapse among a training's looks; None where they show none."""
        found, run = None, list[Look]()
        for look in looks:
            run = [*run, look] if look.is_collapsed else []
            if len(run) >= COLLAPSED_LOOKS:
                found = run
        return cls(found, lasts=found is run) if found else None

    def __str__(self) -> str:
        first, last = self.looks[0], self.looks[-1]
        when = f"from epoch {first.epoch}" if self.lasts else f"epochs {first.epoch} to {last.epoch}, then no more"
        return f"{when}: {', '.join(last.evidence())}"


def divergence_without(share: float) -> float:
    """Class divergence, in nats, of samples without a class of prior ``share``: KL, with 1 - share of each other.

    Endless where there is no other.
    """
    return -math.log1p(-share) if share < 1 else math.inf


def best(looks: Sequence[Look]) -> Look | None:
    """The look with the lowest FID, the first of equals; None before the first one."""
    return min(looks, key=lambda look: look.fid, default=None)


def table(looks: Sequence[Look]) -> str:
    """Writes the looks as CSV, a line each."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(map(astuple, looks))
    return text.getvalue()


def parse(text: str, name: str = "metrics/looks.csv") -> list[Look]:
    """Parses what :func:`table` wrote. Raises FormatError on other columns, rows of another length, or no number."""
    try:
        header, *lines = list(csv.reader(io.StringIO(text))) or [[]]
    except csv.Error as error:
        raise FormatError(f"{name}: not a CSV: {error}") from error
    if tuple(header) != COLUMNS:
        raise FormatError(f"{name}: begins with {', '.join(header[:5]) or 'nothing'}; expected {', '.join(COLUMNS)}")
    return [_parsed(cells, f"{name}, line {line}") for line, cells in enumerate(lines, start=2)]


def _parsed(cells: Sequence[str], where: str) -> Look:
    if len(cells) != len(COLUMNS):
        raise FormatError(f"{where}: {len(cells)} cells; expected {len(COLUMNS)}")
    try:
        return Look(*(kind(cell) for kind, cell in zip(get_type_hints(Look).values(), cells, strict=True)))
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from error
