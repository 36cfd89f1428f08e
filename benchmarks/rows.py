"""Reads and keeps the leaderboard's rows: what the training of one seed recorded, a folder in git each.

``runs/DATA/FAMILY-RECIPE/SEED/`` holds files of the repository as that run left them (dvc.lock, params, metrics), so
that `python -m pipeline diff` takes the folder, or the one of all its seeds, as a side. Beside them: ``run.csv``, the
looks with their times; ``row.json``, the commit; and of seed 0 ``samples.png``, 10 x 10 of them.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from benchmarks import ROOT
from benchmarks.record import Real, Trained
from benchmarks.runs import Run
from mnistgan import files, reading
from mnistgan.errors import DataError, FormatError
from mnistgan.families import recipes_file
from pipeline.dvcfiles import cache, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.engines import planning
from pipeline.results import lookup
from pipeline.results.checkout import Place, Results

LIST, RUNS = ROOT / "benchmarks" / "leaderboard.yaml", Path("benchmarks/runs")
RUN, SAMPLES, FACTS = "run.csv", "samples.png", "row.json"
SIDE = 10  # images a side of samples.png
MEASURED = ("scores.json", "evaluation.json", "classes.csv", "looks.csv", "training.csv", "machine.json")


class Entry(BaseModel):
    """A line of the leaderboard: a recipe of a family on a data set, and how many seeds it is trained with."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    data: str
    family: str
    recipe: str
    seeds: Annotated[int, Field(ge=1)]

    def __str__(self) -> str:
        return f"{self.family} {self.recipe}"

    @property
    def settings(self) -> tuple[str, ...]:
        """What tells it from params.yaml, as ``dvc exp run -S`` takes it."""
        return f"train.family={self.family}", f"train.recipe={self.recipe}"

    def folder(self, runs: Path = RUNS) -> Path:
        """The folder of its seeds."""
        return runs / self.data / f"{self.family}-{self.recipe}"

    def rows(self, runs: Path = RUNS) -> dict[int, "Row"]:
        """Reads those of its seeds that are kept, in order. Raises DataError or FormatError where one is broken."""
        wanted = {seed: self.folder(runs) / str(seed) for seed in range(self.seeds)}
        return {seed: Row.read(folder) for seed, folder in wanted.items() if (folder / FACTS).is_file()}


@dataclass(frozen=True)
class Row:
    """A seed that is kept."""

    folder: Path
    results: Results
    run: Run
    commit: str  # of the code that trained it

    @classmethod
    def read(cls, folder: Path) -> "Row":
        """Reads a row's folder. Raises DataError or FormatError where a part is missing or broken."""
        facts = files.read_json(folder / FACTS)
        if not isinstance(facts, dict) or not isinstance(facts.get("commit"), str):
            raise FormatError(f"{folder / FACTS}: should hold the commit")
        content = lookup.bytes_of(folder / RUN)
        if content is None:
            raise DataError(f"{folder / RUN}: no such file; restore it with git, or remove the folder")
        run = Run.parse(reading.decoded(content, str(folder / RUN)), str(folder / RUN))
        return cls(folder, lookup.read(str(folder)), run, facts["commit"])

    @property
    def minutes(self) -> float:
        """Of the whole training: its steps, and looks, grids and checkpoints between them."""
        return self.run.seconds / 60

    @property
    def labels(self) -> str:
        """What the training makes of the classes' labels: ``none``, ``in the loss`` or ``asked for``."""
        if any(name.startswith("as_asked") for name in self.results.side.members[0].figures.leaves):
            return "asked for"
        return "in the loss" if self.results.params.get("recipe.label_weight") else "none"

    def is_of(self, plan: planning.Plan) -> bool:
        """Whether the workspace's code and params would train and measure it now."""
        return self.results.place is not None and planning.causes(self.results.place.parts) == plan.causes


def entries(path: Path = LIST) -> list[Entry]:
    """Reads the list. Raises FormatError where it is none, or names one twice."""
    try:
        found = TypeAdapter(list[Entry]).validate_python(reading.yaml_document(reading.text(path), str(path)))
    except ValidationError as error:
        raise FormatError(f"{path}: {error.errors()[0]['msg']}; takes lines of data, family, recipe, seeds") from error
    if len({entry.folder() for entry in found}) < len(found):
        raise FormatError(f"{path}: names a recipe twice")
    return found


def keep(entry: Entry, seed: int, results: Results, real: Real) -> bool:
    """Writes the row of a seed, from where it is recorded. Returns whether anything was not so before.

    Raises DataError where its journal or, of seed 0, its last grid is not on this machine.
    """
    assert results.place is not None
    folder = entry.folder(ROOT / RUNS) / str(seed)
    contents = {folder / name: content for name, content in _contents(entry, results.place, real).items()}
    if seed == 0:
        contents[folder / SAMPLES] = _samples(results.place.parts["train"])
    is_new = any(lookup.bytes_of(path) != content for path, content in contents.items())
    if is_new:
        files.write_all(contents)
    return is_new


def _contents(entry: Entry, place: Place, real: Real) -> dict[str, bytes]:
    recipes = Path(recipes_file(entry.family))
    names = [layout.LOCK, layout.PARAMS, recipes, *(layout.METRICS.with_name(name) for name in MEASURED)]
    found = {str(name): content for name in names if (content := place.read(name)) is not None}
    trained = Trained.of(ROOT, place.commit)
    run = replace(trained, recipe=str(entry)).run(str(entry), real)
    return {
        **found,
        RUN: run.dumps().encode(),
        FACTS: files.as_json({"commit": trained.commit}),
    }


def _samples(train: Part) -> bytes:
    """Cuts the first samples of the training's last grid out of DVC's cache, as PNG."""
    from mnistgan.drawing import grids

    path = str(train.options["grids"])
    last = max(cache.files_of(path, train.outs[path]))
    if last[0] == path:
        raise DataError(f"{path}: not in DVC's cache; `dvc fetch --all-commits` brings what a remote has")
    drawn = grids.untile(grids.read(cache.place(last[1])))[: SIDE * grids.TRAINING_SIDE]
    rows = drawn.reshape(SIDE, grids.TRAINING_SIDE, *drawn.shape[1:])[:, :SIDE]
    from PIL import Image

    picture = io.BytesIO()
    Image.fromarray(grids.tile(rows.reshape(-1, *drawn.shape[1:]), SIDE)).save(picture, "PNG", optimize=True)
    return picture.getvalue()
