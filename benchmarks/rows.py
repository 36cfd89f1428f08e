"""Lists what the leaderboard is to hold, and keeps each seed that is trained as a row: a folder in git."""

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from benchmarks import ROOT
from benchmarks.record import Real, Trained, real_images
from mnistgan import files, reading
from mnistgan.drawing import grids
from mnistgan.drawing.evenly import evenly
from mnistgan.drawing.pictures.encoding import with_greys
from mnistgan.drawing.report import samples
from mnistgan.errors import DataError, FormatError
from mnistgan.families import recipes_file
from pipeline.dvcfiles import cache, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.engines import planning
from pipeline.results import former, lookup, rows
from pipeline.results.checkout import Place, Results
from pipeline.results.rows import RUNS, Recipe

LIST, LOOKS = ROOT / "benchmarks" / "leaderboard.yaml", "run.csv"
FRAMES = 10  # pictures of a training
WALKED, WALKS = 8, 4  # walks that render draws, and those that are kept
MEASURED = ("scores.json", "evaluation.json", "classes.csv", "looks.csv", "training.csv", "machine.json")


class Entry(BaseModel):
    """A line of the leaderboard: a recipe of a family on a data set, and how many seeds it is trained with."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    data: str
    family: str
    recipe: str
    seeds: Annotated[int, Field(ge=1)]

    def __str__(self) -> str:
        return f"{self.family} {self.recipe}{'' if self.data == former.DATA['name'] else f' on {self.data}'}"

    @property
    def settings(self) -> tuple[str, ...]:
        """What tells it from params.yaml, as ``dvc exp run -S`` takes it."""
        return f"data.name={self.data}", f"train.family={self.family}", f"train.recipe={self.recipe}"

    def folder(self, runs: Path = RUNS) -> Path:
        """The folder of its seeds."""
        return runs / self.data / f"{self.family}-{self.recipe}"

    def kept(self, runs: Path = RUNS) -> Recipe | None:
        """Reads what is kept of it; None where nothing is. Raises DataError or FormatError where a row is broken."""
        found = rows.of_folder(self.folder(runs))
        return replace(found, rows=found.rows[: self.seeds]) if found.rows else None

    def is_stale(self, kept: Recipe) -> bool:
        """Whether a row was trained or measured by other code or params than the workspace's."""
        places = [row.results.place for row in kept.rows]
        prepared = [place.parts["prepare"] for place in places if place and "prepare" in place.parts]
        try:
            plan = planning.plan(self.seeds, self.settings, prepared)
        except DataError:  # prepare is other code than theirs now, and has not made this data yet
            return True
        return any(place is None or planning.causes(place.parts) != plan.causes for place in places)


def entries(path: Path = LIST) -> list[Entry]:
    """Reads the list. Raises FormatError where it is none, or names one twice."""
    try:
        found = TypeAdapter(list[Entry]).validate_python(reading.yaml_document(reading.text(path), str(path)))
    except ValidationError as error:
        raise FormatError(f"{path}: {error.errors()[0]['msg']}; takes lines of data, family, recipe, seeds") from error
    if len({entry.folder() for entry in found}) < len(found):
        raise FormatError(f"{path}: names a recipe twice")
    return found


def keep(entry: Entry, seed: int, results: Results) -> bool:
    """Writes the row of a seed, from where it is recorded. Returns whether anything was not so before.

    Raises DataError where its journal or, of seed 0, its pictures are not on this machine.
    """
    assert results.place is not None
    folder = entry.folder(ROOT / RUNS) / str(seed)
    pictures, facts = _pictures(results.place.parts) if seed == 0 else ({}, {"epochs": [], "walks": []})
    contents = _contents(entry, results.place, facts)
    written = {folder / name: content for name, content in {**contents, **pictures}.items()}
    is_new = any(lookup.bytes_of(path) != content for path, content in written.items())
    if is_new:
        files.write_all(written)
    return is_new


def _contents(entry: Entry, place: Place, drawn: Mapping[str, list[int]]) -> dict[str, bytes]:
    recipes = Path(recipes_file(entry.family))
    names = [layout.LOCK, layout.PARAMS, recipes, *(layout.METRICS.with_name(name) for name in MEASURED)]
    found = {str(name): content for name in names if (content := place.read(name)) is not None}
    trained = Trained.of(ROOT, place.commit)
    prepare = place.parts["prepare"]
    splits = [str(prepare.options[split]) for split in ("train", "validation")]
    real = _real(entry.data, *((path, prepare.outs[path]) for path in splits))
    run = replace(trained, recipe=str(entry)).run(str(entry), real)
    facts = {"commit": trained.commit, "minutes": round(run.seconds / 60, 1), **drawn}
    return {**found, LOOKS: run.dumps().encode(), rows.FACTS: files.as_json(facts)}


@lru_cache(maxsize=1)
def _real(data: str, *splits: tuple[str, str]) -> Real:
    """Measures real images of a data set, its splits by path and MD5, from here or DVC's cache."""
    with TemporaryDirectory(prefix="mnistgan-") as name:
        for path, digest in splits:
            cache.bring(path, digest, Path(name) / path)
        return real_images(data, *(Path(name) / path for path, _ in splits))


def _pictures(parts: Mapping[str, Part]) -> tuple[dict[str, bytes], dict[str, list[int]]]:
    """Cuts pictures out of what train and render left in DVC's cache; with what row.json says of them."""
    with TemporaryDirectory(prefix="mnistgan-") as name:
        drawn = grids.by_epoch(_brought(parts["train"], "grids", Path(name)))
        epochs = evenly([*drawn], FRAMES)
        frames = [_corner(grids.untile(grids.read(drawn[epoch]))) for epoch in epochs]
        path = _brought(parts["render"], "pictures", Path(name)) / "interpolation.png"
        sheet = samples.read(path.read_bytes(), str(path))
    steps = parts["render"].params[str(layout.PARAMS)]["render"]["interpolation_steps"]
    walks = samples.cut(sheet, WALKED, steps)
    frames_png = {rows.TRAINING: _png(grids.tile(np.concatenate(frames), rows.SIDE))}
    if walks is None:
        return frames_png, {"epochs": epochs, "walks": []}
    kept = _png(grids.tile(walks[: WALKS * steps], steps))
    return {**frames_png, rows.WALKS: kept}, {"epochs": epochs, "walks": [steps, WALKS]}


def _brought(part: Part, option: str, to: Path) -> Path:
    path = str(part.options[option])
    cache.bring(path, part.outs[path], to / option)
    return to / option


def _corner(images: np.ndarray) -> np.ndarray:
    """Takes the upper left of a grid's images [256, 28, 28], [36, 28, 28]."""
    square = images.reshape(grids.TRAINING_SIDE, grids.TRAINING_SIDE, *images.shape[1:])
    return square[: rows.SIDE, : rows.SIDE].reshape(-1, *images.shape[1:])


def _png(pixels: np.ndarray) -> bytes:
    picture = io.BytesIO()
    with_greys(Image.fromarray(pixels), 16).save(picture, "PNG", bits=4, optimize=True)
    return picture.getvalue()
