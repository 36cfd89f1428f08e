"""Runs a stage: checks its params first, journals it, and publishes it as it goes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistgan.errors import DataError, MetricError, MnistganError
from pipeline.dvcfiles import dvc_yaml, layout
from pipeline.engines import readiness
from pipeline.tracking.observing import observed

if TYPE_CHECKING:
    from mnistgan.params import Params

PARAMS = Path("params.yaml")

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Let TensorFlow print its own messages too.")]


@contextmanager
def running(name: str) -> Iterator["Params"]:
    """Checks params.yaml, then runs the block as stage ``name``, journalled and published as it goes.

    Raises ParamsError before anything heavy is loaded, UsageError where DVC would lose what it makes. A DataError gets
    the stage added that makes the file anew.
    """
    from mnistgan.params import load

    params = load(PARAMS)
    readiness.check_own_folder()
    with observed(name), _mending():
        yield with_sources_here(params)


def with_sources_here(params: "Params") -> "Params":
    """Resolves folders of data from the main repository: an experiment's own folder lacks what git does not hold."""
    sources = list(params.prepare.sources)
    for number, source in enumerate(sources):
        folder = source.removeprefix("folder:")
        there = layout.main_root() / folder
        if source.startswith("folder:") and not Path(folder).is_dir() and there.is_dir():
            sources[number] = f"folder:{there}"
    updates: dict[str, Any] = {"prepare": params.prepare.model_copy(update={"sources": sources})}
    manifest = params.dataset.manifest
    if manifest and not Path(manifest.folder).is_dir():
        own = manifest.model_copy(update={"folder": str(layout.main_root() / manifest.folder)})
        updates["dataset"] = params.dataset.model_copy(update={"manifest": own})
    return params.model_copy(update=updates)


@contextmanager
def naming(*paths: Path) -> Iterator[None]:
    """Turns a MetricError into a DataError that names the files whose images it is about."""
    try:
        yield
    except MetricError as error:
        raise DataError(f"{', '.join(map(str, paths))}: {error}") from error


@contextmanager
def _mending() -> Iterator[None]:
    """Adds to a DataError, which begins with the files that are bad, how to make them anew."""
    try:
        yield
    except DataError as error:
        makers = _makers(str(error).partition(": ")[0].split(", "))
        if not makers:
            raise
        raise type(error)(f"{error}; `dvc repro {' '.join(makers)}` makes it anew") from error


def _makers(paths: list[str]) -> list[str]:
    """Lists the stages of dvc.yaml that make these files, in its order; none unless each file has one."""
    try:
        outs = {out: name for name, stage in dvc_yaml.declared().items() for out in stage.outs}
    except MnistganError:
        return []
    made = {path: name for path in paths for out, name in outs.items() if PurePath(path).is_relative_to(out)}
    return [name for name in dict.fromkeys(outs.values()) if name in made.values()] if len(made) == len(paths) else []
