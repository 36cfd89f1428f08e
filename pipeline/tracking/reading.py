"""Finds the run that a publication belongs to, or that a person names, and reads runs and their files back.

Each is asked for by what it is known by: to read all runs takes a store longer the more it holds.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import TrackingError, UsageError
from pipeline.dvcfiles import layout
from pipeline.results import former
from pipeline.tracking import holdings, publication
from pipeline.tracking.address import is_yet_to_be_made
from pipeline.tracking.connection import Connection, connect
from pipeline.tracking.failures import speaking_plainly
from pipeline.tracking.publication import RUN_KEY, TRAIN_KEY, UNFINISHED, Publication, Status

if TYPE_CHECKING:
    from mlflow.entities import Run

RESULTS = "mnistgan.results"
"""Tag of a finished run: the digest of what it shows."""
PUBLISHER = "mnistgan.publisher"
"""Tag of an unfinished run: the clone that added to it last."""
REPLACES = "mnistgan.replaces"
"""Tag of a run: the one that it was made in place of."""
CLONE = "mnistgan.clone"
BEGUN = ("attributes.run_id", *(f"tags.`{name}`" for name in (RUN_KEY, TRAIN_KEY, publication.DRAWING)))
"""What a person may name a run by the beginning of, as MLflow's searches call it."""
_BEGINNING = re.compile("[0-9a-f]{6,64}")
WEIGHTS = Path("models/final.npz")


@dataclass(frozen=True)
class TracedRun:
    """A run as the store tells of it."""

    id: str
    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]


def download_generator(run: str, folder: Path) -> tuple[Path, Mapping[str, str]]:
    """Downloads the generator's weights of a run that a person names, as :func:`find` knows it; with the run's params.

    Raises UsageError when no run or several match, TrackingError when the store can't be reached.
    """
    at = connect(layout.main_root())
    with speaking_plainly():
        found = named(at, run)
        held = holdings.read(at, found.info.run_id)
        name = next((path for path in former.paths(WEIGHTS) if path.as_posix() in held), WEIGHTS)
        return _download(at, found.info.run_id, name.as_posix(), folder), found.data.params


def read_files(run: str, names: Sequence[str]) -> dict[str, bytes]:
    """Reads those of these files that a run holds, by their paths here. Raises as :func:`download_generator` does."""
    at = connect(layout.main_root())
    with speaking_plainly(), tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        run_id = named(at, run).info.run_id
        held = holdings.read(at, run_id)
        return {name: _download(at, run_id, name, Path(folder)).read_bytes() for name in names if name in held}


class Runs:
    """The runs of a repository's store; none where there is none or it can't be asked, as ``problem`` then says."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._at: Connection | None = None
        self.problem = ""

    def named(self, name: str) -> TracedRun | None:
        """Finds the newest run that a name means."""
        return next(iter(self._traced(lambda at: find(at, name))), None)

    def of_key(self, run_key: str) -> list[TracedRun]:
        """Lists the runs of a key, newest first: replicates are several."""
        return self._traced(lambda at: at.search(f"tags.`{RUN_KEY}` = '{run_key}'"))

    def _traced(self, ask: Callable[[Connection], "list[Run]"]) -> list[TracedRun]:
        if self.problem or is_yet_to_be_made(self._root):
            return []
        try:
            self._at = self._at or connect(self._root)
            with speaking_plainly():
                return [
                    TracedRun(run.info.run_id, run.info.run_name, run.info.status, run.data.tags, run.data.params)
                    for run in ask(self._at)
                ]
        except TrackingError as error:
            self.problem = str(error)
            return []


def _download(at: Connection, run_id: str, artifact: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(at.client.download_artifacts(run_id, artifact, str(folder)))


def run_for(at: Connection, content: Publication, news: list[str]) -> "Run | None":
    """Finds the run that holds these results, else an unfinished one of the same clone, else makes one.

    None while a finished one may yet turn out to hold them. What a person should know of it is added to ``news``.
    """
    condition = f"tags.`{RUN_KEY}` = '{content.state.run_key}'"
    runs = at.search(condition)
    by_age = sorted(runs, key=lambda run: (bool(tag(run, REPLACES)), run.info.start_time, run.info.run_id))
    # Of equals the oldest, one that replaces another last: on every machine the same.
    finished = {results: run for run in reversed(by_age) if (results := tag(run, RESULTS))}
    unfinished = [run for run in runs if not tag(run, RESULTS)]
    continued = next((run for run in unfinished if _is_continued(run, content)), None)
    if content.results:
        # Of a machine that is gone nobody else would say so. One that is still at work says RUNNING again.
        for run in [run for run in unfinished if run is not continued and run.info.status in UNFINISHED]:
            at.client.set_terminated(run.info.run_id, Status.KILLED)
            news.append(f"{called(run)} said {run.info.status}, but its state was made elsewhere: now {Status.KILLED}")
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
    """Finds the one run that a name means. Raises UsageError when none or several match."""
    found = find(at, name)
    if not found:
        raise UsageError(f"no MLflow run has the id, name, experiment or key {name!r}; `make ui` shows them")
    if len(found) > 1:
        several = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in found)
        raise UsageError(f"{len(found)} MLflow runs match {name!r}: {several}; give one's id")
    return found[0]


def find(at: Connection, name: str) -> "list[Run]":
    """Finds the runs that a name means, newest first.

    Those of this name; else of the experiment of this name; else whose id, else whose run key, train key or weights
    begin so, by six hex digits or more.
    """
    conditions = [_is("attributes.run_name", name), _is(f"tags.`{publication.EXPERIMENT}`", name)]
    if _BEGINNING.fullmatch(name):
        conditions += [f"{field} LIKE '{name}%'" for field in BEGUN]
    return next(filter(None, map(at.search, filter(None, conditions))), [])


def _is(field: str, value: str) -> str:
    """Words a search for a value; nothing where it has both of the quotes that MLflow takes."""
    quote = next((quote for quote in "'\"" if quote not in value), None)
    return f"{field} = {quote}{value}{quote}" if quote else ""


def is_of_one_of(run: "Run", machines: Iterable[Mapping[str, str]]) -> bool:
    """Whether a run was made where one of a journal's starts says; one that says less than they is taken for it."""
    carried = {name: value for name in publication.MACHINE_TAGS if (value := tag(run, name))}
    return any(carried.items() <= machine.items() for machine in machines)


def keys(run: "Run") -> tuple[str, str]:
    return tag(run, TRAIN_KEY), tag(run, RUN_KEY)


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
