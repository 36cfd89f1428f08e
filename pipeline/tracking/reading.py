"""Reads runs and their files back from MLflow."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.dvcfiles import layout
from pipeline.results import former
from pipeline.tracking import finding, holdings
from pipeline.tracking.address import database, sqlite_file, uri
from pipeline.tracking.connection import Connection, connect
from pipeline.tracking.failures import speaking_plainly

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
        run_id = finding.named(at, run).info.run_id
        held = holdings.read(at.client, run_id)
        name = next((path for path in former.paths(WEIGHTS) if path.as_posix() in held), WEIGHTS)
        return _download(at, run_id, name.as_posix(), folder)


def read_files(run: str, names: Sequence[str]) -> dict[str, bytes]:
    """Reads those of these files that a run holds, by the paths that they have in the workspace.

    Raises as :func:`download_generator` does.
    """
    at = connect(layout.main_root())
    with speaking_plainly(), tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        run_id = finding.named(at, run).info.run_id
        held = holdings.read(at.client, run_id)
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
    """Downloads a run's artifact as a file in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(at.client.download_artifacts(run_id, artifact, str(folder)))
