"""Reads and writes recorded runs: the looks of a real training with their times, one CSV a run.

A run's file says all about it: recipe, seed, train key, processor, how fast it went; and, beside each look's FID, what
real images get for it: without a single 8 (the unit), and as they are (the floor).
"""

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Self, get_type_hints

from benchmarks import ROOT
from mnistgan.errors import DataError, FormatError
from mnistgan.metrics import looks

FOLDER = ROOT / "benchmarks" / "runs"
ARTICLE = "article"
LAST_LOOKS = 5
"""A training's quality is the median of so many of its last looks: one alone may be a good or bad moment."""


@dataclass(frozen=True)
class TimedLook:
    """One look at validation, and the run that it belongs to."""

    recipe: str
    seed: int
    key: str
    """Of the training: its params, data, code and library versions."""
    processor: str
    images_per_second: float
    epoch: int
    step: int
    seconds: float
    """Of training until this look: steps, and the looks, grids, checkpoints and files between them."""
    fid: float
    fid_missing_class: float
    fid_floor: float
    fid_pixels: float
    fid_pixels_missing_class: float
    fid_pixels_floor: float
    coverage: float
    smallest_ratio: float

    @property
    def relative(self) -> float:
        """Relative FID, by the classifier's penultimate layer."""
        return self.fid / self.fid_missing_class

    @property
    def floor(self) -> float:
        """FID of real images, over the same."""
        return self.fid_floor / self.fid_missing_class


COLUMNS = tuple(column.name for column in fields(TimedLook))


@dataclass(frozen=True)
class Run:
    """A training's looks, in order; there is one at least."""

    name: str
    looks: tuple[TimedLook, ...]

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.looks[0].recipe

    @property
    def seed(self) -> int:
        """The seed."""
        return self.looks[0].seed

    @property
    def seconds(self) -> float:
        """The whole training's."""
        return self.looks[-1].seconds

    @property
    def quality(self) -> float:
        """The median of the last five looks."""
        return statistics.median(look.relative for look in self.looks[-LAST_LOOKS:])

    def seconds_to(self, quality: float) -> float | None:
        """Seconds until the first look from which on all stay below ``quality``, a relative FID; None where none do."""
        reached = None
        for look in reversed(self.looks):
            if look.relative >= quality:
                break
            reached = look.seconds
        return reached

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Reads a run's CSV. Raises FormatError where it is anything else."""
        header, *lines = list(csv.reader(io.StringIO(text))) or [[]]
        if tuple(header) != COLUMNS:
            raise FormatError(f"{name}: begins with {', '.join(header[:4]) or 'nothing'}; takes {', '.join(COLUMNS)}")
        if not lines:
            raise FormatError(f"{name}: holds no look")
        kinds = get_type_hints(TimedLook).values()
        try:
            read = tuple(TimedLook(*(kind(cell) for kind, cell in zip(kinds, row, strict=True))) for row in lines)
        except ValueError as error:
            raise FormatError(f"{name}: {error}") from error
        if len({(look.recipe, look.seed, look.key) for look in read}) > 1:
            raise FormatError(f"{name}: holds looks of more than one training; takes one's")
        return cls(name, read)

    def dumps(self) -> str:
        """The run as CSV, a line a look."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(map(astuple, self.looks))
        return text.getvalue()


def read(folder: Path = FOLDER) -> list[Run]:
    """Reads every recorded run in a folder, by name; a table of looks without times beside them is none.

    Raises FormatError on any other CSV, and where two runs were measured by other rulers or images.
    """
    found = []
    for path in sorted(folder.glob("*.csv")):
        text = path.read_text("utf-8")
        if not text.startswith(",".join(looks.COLUMNS)):
            found.append(Run.parse(text, path.stem))
    rulers = {(run.looks[0].fid_missing_class, run.looks[0].fid_floor): run.name for run in found}
    if len(rulers) > 1:
        raise FormatError(f"{', '.join(rulers.values())}: measured by other rulers or images, so they don't compare")
    return found


def article_quality(runs: Sequence[Run]) -> float:
    """Median, over its runs, of what the article's recipe ends at, relative.

    Raises DataError where there is none.
    """
    return statistics.median(run.quality for run in of_recipe(ARTICLE, runs))


def of_recipe(recipe: str, runs: Sequence[Run]) -> list[Run]:
    """Lists the runs of a recipe. Raises DataError where there is none."""
    if found := [run for run in runs if run.recipe == recipe]:
        return found
    raise DataError(f"benchmarks/runs: no run of recipe {recipe}; `python -m benchmarks.record` makes one")
