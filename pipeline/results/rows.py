"""Reads the leaderboard's rows: what trainings recorded, a folder in git for each seed.

``benchmarks/runs/DATA/FAMILY-RECIPE/SEED/`` holds files of the repository as that run left them (dvc.lock, params,
metrics), so that `diff` takes the folder, or the one of all its seeds, as a side. Beside them ``row.json`` has the
commit, the minutes of training and the epochs of its pictures; seed 0 has these: ``training.png``, samples over the
epochs, one below the other, and ``walks.png``, walks through the latents.
"""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison import wording
from mnistgan.comparison.figures import Figures
from mnistgan.comparison.seeds import Summary, summarise
from mnistgan.comparison.sides import Side
from mnistgan.errors import DataError, FormatError
from pipeline.results import former, lookup
from pipeline.results.checkout import Results

FID = "fid.value"
RELATIVE = (FID, "fid_pixels.value")
"""Metrics that are told over what real images without one class get."""
RUNS = Path("benchmarks/runs")
FACTS, TRAINING, WALKS = "row.json", "training.png", "walks.png"
ASKED = "asked for"
SIDE = 6  # samples a side of each of TRAINING's pictures
_KINDS = {"commit": str, "minutes": float, "epochs": list, "walks": list}


@dataclass(frozen=True)
class Row:
    """A seed's folder."""

    folder: Path
    results: Results
    commit: str  # of the code that trained it
    minutes: float  # of the whole training: its steps, and looks, grids and checkpoints between them
    epochs: tuple[int, ...]  # of the pictures in training.png; none where it has none
    walks: tuple[int, ...]  # in walks.png, the images of a walk and the number of walks; none where it has none

    @classmethod
    def read(cls, folder: Path) -> "Row":
        """Reads a row. Raises DataError or FormatError where a part is missing or broken."""
        path = folder / FACTS
        try:
            facts: Any = reading.json_document(reading.text(path), str(path))
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; restore it with git, or remove the folder") from error
        if not isinstance(facts, dict) or any(not isinstance(facts.get(name), kind) for name, kind in _KINDS.items()):
            raise FormatError(f"{path}: should hold {', '.join(_KINDS)}; restore it with git")
        epochs, walks = (tuple(facts[name]) for name in ("epochs", "walks"))
        return cls(folder, lookup.read(str(folder)), facts["commit"], facts["minutes"], epochs, walks)

    def picture(self, name: str) -> bytes | None:
        """Reads one of its pictures; None where it has none."""
        return lookup.bytes_of(self.folder / name)


@dataclass(frozen=True)
class Recipe:
    """The rows of a family's recipe on a data set: one or more seeds, in order."""

    data: str
    family: str
    recipe: str
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Family and recipe, and the data set where it is another than MNIST."""
        return f"{self.family} {self.recipe}{'' if self.data == former.DATA['name'] else f' on {self.data}'}"

    @property
    def labels(self) -> str:
        """As :func:`labels_of`."""
        return labels_of(self.rows[0].results)

    @property
    def minutes(self) -> float:
        """The median of its seeds'."""
        return statistics.median(row.minutes for row in self.rows)

    @property
    def seeds(self) -> str:
        """Words how many seeds there are, and how many of them collapsed, which no mean holds."""
        collapsed = sum(figures.collapsed for figures in self._figures)
        count = f"{len(self.rows)} seed{'s' if len(self.rows) > 1 else ''}"
        return f"{count}, {collapsed} collapsed" if collapsed else count

    def relative(self, metric: str) -> float:
        """Mean of a metric over what real images without one class get; NaN where every seed collapsed."""
        summary = self._summaries.get(metric)
        return summary.metric.scale.back(summary.mean) / self._unit(metric) if summary else math.nan

    def worded(self, metric: str) -> str:
        """Words a metric's mean with its 95% interval over seeds; a dash where no seed has it."""
        summary = self._summaries.get(metric)
        if summary is None:
            return wording.NOTHING
        ends = (summary.mean, summary.low, summary.high)
        told = [f"{summary.metric.scale.back(end) / self._unit(metric):.3g}" for end in ends if end is not None]
        return f"{told[0]} ({told[1]} to {told[2]})" if len(told) == 3 else told[0]

    def _unit(self, metric: str) -> float:
        if metric not in RELATIVE:
            return 1.0
        section, leaves = metric.partition(".")[0], self._figures[0].leaves
        return leaves.get(f"{section}.missing_class") or leaves[f"{section}.floor"]

    @cached_property
    def _summaries(self) -> dict[str, Summary]:
        return {summary.metric.name: summary for summary in summarise(self._figures)}

    @property
    def side(self) -> Side:
        """Its seeds as a side of a comparison."""
        members = tuple(member for row in self.rows for member in row.results.side.members)
        return Side(self.name, members, self.rows[0].results.side.recipe)

    @property
    def _figures(self) -> list[Figures]:
        return [row.results.side.members[0].figures for row in self.rows]


def labels_of(results: Results) -> str:
    """Says what a training made of the classes' labels: ``none``, ``in the loss`` or ``asked for``."""
    if any(name.startswith("as_asked") for name in results.side.members[0].figures.leaves):
        return ASKED
    return "in the loss" if results.params.get("recipe.label_weight") else "none"


def read(runs: Path = RUNS) -> list[Recipe]:
    """Reads all that is kept, by data set and name. Raises DataError or FormatError where a row is broken."""
    folders = sorted({facts.parent.parent for facts in runs.glob(f"*/*/*/{FACTS}")})
    return [of_folder(folder) for folder in folders]


def of_folder(folder: Path) -> Recipe:
    """Reads the rows of a recipe's folder. Raises DataError or FormatError where one is broken."""
    family, _, recipe = folder.name.partition("-")
    seeds = sorted((facts.parent for facts in folder.glob(f"*/{FACTS}")), key=lambda row: int(row.name))
    return Recipe(folder.parent.name, family, recipe, tuple(map(Row.read, seeds)))
