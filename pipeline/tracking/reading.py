"""Finds the run that a publication belongs to, or that a person names, and reads runs and their files back."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import UsageError
from pipeline.dvcfiles import layout
from pipeline.results import former
from pipeline.tracking import holdings
from pipeline.tracking.address import database, sqlite_file, uri
from pipeline.tracking.connection import Connection, connect
from pipeline.tracking.failures import speaking_plainly
from pipeline.tracking.publication import MACHINE_TAGS, Publication

if TYPE_CHECKING:
    from mlflow.entities import Run

RESULTS = "mnistgan.results"
"""Tag of a finished run: the digest of what it shows."""
PUBLISHER = "mnistgan.publisher"
"""Tag of an unfinished run: the clone that added to it last."""
REPLACES = "mnistgan.replaces"
"""Tag of a run: the one that it was made in place of."""
CLONE = "mnistgan.clone"
KEY_PREFIX = 6
"""Hex digits of a key that are enough to ask for a run by it."""
WEIGHTS = Path("models/final.npz")


@dataclass(frozen=True)
class TracedRun:
    """A run as the store tells of it."""

    id: str
    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]


def download_generator(run: str, folder: Path) -> Path:
    """Downloads the generator's weights of a run named by its id, its name, or the start of its key (6 digits or more).

    Raises UsageError when no run or several match, TrackingError when the store can't be reached.
    """
    at = connect(layout.main_root())
    with speaking_plainly():
        run_id = named(at, run).info.run_id
        held = holdings.read(at, run_id)
        name = next((path for path in former.paths(WEIGHTS) if path.as_posix() in held), WEIGHTS)
        return _download(at, run_id, name.as_posix(), folder)


def read_files(run: str, names: Sequence[str]) -> dict[str, bytes]:
    """Reads those of these files that a run holds, by their paths here. Raises as :func:`download_generator` does."""
    at = connect(layout.main_root())
    with speaking_plainly(), tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        run_id = named(at, run).info.run_id
        held = holdings.read(at, run_id)
        return {name: _download(at, run_id, name, Path(folder)).read_bytes() for name in names if name in held}


def traced_runs(root: Path) -> list[TracedRun]:
    """Lists every run of the store, newest first; none where there is no store. Raises TrackingError on an outage."""
    if sqlite_file(uri(root)) == database(root) and not database(root).exists():
        return []
    at = connect(root)
    with speaking_plainly():
        return [
            TracedRun(run.info.run_id, run.info.run_name, run.info.status, run.data.tags, run.data.params)
            for run in at.search()
        ]


def _download(at: Connection, run_id: str, artifact: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(at.client.download_artifacts(run_id, artifact, str(folder)))


def run_for(at: Connection, content: Publication, news: list[str]) -> "Run | None":
    """Finds the run that holds these results, else an unfinished one of the same clone, else makes one.

    None while a finished one may yet turn out to hold them. What a person should know of it is added to ``news``.
    """
    condition = f"tags.`mnistgan.run_key` = '{content.state.run_key}'"
    runs = at.search(condition)
    by_age = sorted(runs, key=lambda run: (bool(tag(run, REPLACES)), run.info.start_time, run.info.run_id))
    # Of equals the oldest, one that replaces another last: on every machine the same.
    finished = {results: run for run in reversed(by_age) if (results := tag(run, RESULTS))}
    unfinished = [run for run in runs if not tag(run, RESULTS)]
    continued = next((run for run in unfinished if _is_continued(run, content)), None)
    if content.results in finished:
        held = finished[content.results]
        if continued and tag(continued, CLONE) == at.clone and not tag(continued, REPLACES):
            at.client.delete_run(continued.info.run_id)
            news.append(f"{called(continued)} ended as {called(held)} did: it is in MLflow's bin now")
        return held
    if continued:
        return continued
    if finished and content.results is None:
        return None
    if not runs and at.search(condition, deleted=True):
        news.append("MLflow's run of this state was deleted there: made again")
    tags = {**content.tags, **({"mnistgan.replicate": "true"} if runs else {})}
    return at.client.create_run(at.experiment, milliseconds(content.started), tags, content.name)


def named(at: Connection, name: str) -> "Run":
    """Finds the run of this id, this name, or whose key starts so. Raises UsageError when none or several match."""
    runs = at.search()
    exact = [run for run in runs if name in (run.info.run_id, run.info.run_name)]
    by_key = [run for run in runs if len(name) >= KEY_PREFIX and tag(run, "mnistgan.run_key").startswith(name)]
    found = exact or by_key
    if not found:
        raise UsageError(f"no MLflow run has the id, name or key {name!r}; `make ui` shows them")
    if len(found) > 1:
        several = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in found)
        raise UsageError(f"{len(found)} MLflow runs match {name!r}: {several}; give one's id")
    return found[0]


def is_of_one_of(run: "Run", machines: Iterable[Mapping[str, str]]) -> bool:
    """Whether a run was made where one of a journal's starts says; one that says less than they is taken for it."""
    carried = {name: value for name in MACHINE_TAGS if (value := tag(run, name))}
    return any(carried.items() <= machine.items() for machine in machines)


def keys(run: "Run") -> tuple[str, str]:
    return tag(run, "mnistgan.train_key"), tag(run, "mnistgan.run_key")


def called(run: "Run") -> str:
    return f"MLflow run {run.info.run_name!r} ({run.info.run_id})"


def tag(run: "Run", name: str) -> str:
    """Reads a run's tag; nothing where it has none of that name."""
    return str(run.data.tags.get(name, ""))


def milliseconds(time: datetime | None) -> int | None:
    """Converts a time to MLflow's; None stays None, for which MLflow takes the present."""
    return int(time.timestamp() * 1000) if time else None


def _is_continued(run: "Run", content: Publication) -> bool:
    """Whether an unfinished run may be these results' beginning: another machine's curve has other values."""
    return not content.machines or bool(tag(run, REPLACES)) or is_of_one_of(run, content.machines)
