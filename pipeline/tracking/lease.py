"""Lets one process at a time publish to a run: within a clone by a file's lock, across clones by a lease.

Where nobody publishes any more, since the process is gone, it closes the run, as the journal here tells.

A lease is kept in the store itself. Each publisher writes a tag of its own into the experiment, then looks: who sees
none but its own may go on, who sees another's takes its own back and waits. Of two that came at once neither goes
on, and the one whose tag sorts first is the sooner to try again.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mnistgan.errors import TrackingError
from pipeline.runs import journal
from pipeline.runs.journal import Kind
from pipeline.tracking import gathering
from pipeline.tracking.connection import Connection
from pipeline.tracking.publication import UNFINISHED, Status
from pipeline.tracking.reading import is_of_one_of, keys, milliseconds

if TYPE_CHECKING:
    from mlflow.entities import Run

PREFIX = "mnistgan.publishing."
LEASE_SECONDS = 600.0
"""After which a lease counts as left behind by a killed process; publishing a state takes a minute at most."""
WAIT_SECONDS = 45.0
FIRST_AGAIN_SECONDS, OTHERS_AGAIN_SECONDS = 0.1, 0.5


class LockedError(TrackingError):
    """Another process publishes to the same run."""


@contextmanager
def publishing(root: Path, run_key: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Lets one process of this clone publish to a key's runs. Raises LockedError where another does."""
    path = root / journal.FOLDER / f"{run_key}.publishing"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait_seconds):
            yield
    except Timeout as error:
        raise LockedError("another process publishes to this state's run; try again when it has ended") from error


@contextmanager
def held(at: Connection, key: str) -> Iterator[None]:
    """Holds the lease by which this clone alone publishes under ``key``; :func:`publishing` sees to the clone itself.

    Raises TrackingError where another clone holds it too long.
    """
    prefix = f"{PREFIX}{key[:12]}."
    mine = prefix + at.clone
    try:
        _take(at, prefix, mine)
        yield
    except BaseException:  # Ctrl-C too: nobody publishes any more, so nobody is to wait
        with suppress(Exception):
            _give_back(at, mine)
        raise
    _give_back(at, mine)


def _take(at: Connection, prefix: str, mine: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        at.client.set_experiment_tag(at.experiment, mine, f"{time.time():.0f} {socket.gethostname()}")
        tags_there = at.client.get_experiment(at.experiment).tags
        leases = {name: tag for name, tag in tags_there.items() if name.startswith(PREFIX)}
        for name in [name for name, tag in leases.items() if _is_left_behind(tag)]:
            _give_back(at, name)
            del leases[name]
        others = {name: tag for name, tag in leases.items() if name.startswith(prefix) and name != mine}
        if not others:
            return
        _give_back(at, mine)
        if time.monotonic() > until:
            host = next(iter(others.values())).partition(" ")[2]
            raise TrackingError(f"another clone, on {host}, publishes to this state's run; try again when it has ended")
        time.sleep(FIRST_AGAIN_SECONDS if mine < min(others) else OTHERS_AGAIN_SECONDS)


def _give_back(at: Connection, name: str) -> None:
    """Deletes a lease; it may be gone, since whoever looks deletes those left behind."""
    try:
        at.client.delete_experiment_tag(at.experiment, name)
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
            raise


def _is_left_behind(tag: str) -> bool:
    since = tag.partition(" ")[0]
    return not since.isdigit() or abs(time.time() - float(since)) >= LEASE_SECONDS


def close_abandoned(at: Connection) -> list[str]:
    """Sets the status of runs whose process is gone, as their journal here tells; returns a sentence on each."""
    unfinished = [run for status in UNFINISHED for run in at.search(f"attributes.status = '{status}'")]
    return [said for run in unfinished if (said := _close_if_abandoned(at, run))]


def set_status(at: Connection, run: "Run", status: Status, stopped: datetime | None) -> None:
    if run.info.status == status:
        return
    if status in UNFINISHED:
        at.client.update_run(run.info.run_id, status.value)
    else:
        at.client.set_terminated(run.info.run_id, status.value, milliseconds(stopped))


def _close_if_abandoned(at: Connection, run: "Run") -> str | None:
    """Sets the status of a run that nobody works on, and says so in a sentence; None where there is nothing to set.

    It is looked at before its lock is taken and once more under it, since a stage may begin or end meanwhile.
    """
    if _settled(at, run) is None:
        return None
    train_key, run_key = keys(run)
    try:
        with publishing(at.root, run_key):
            run = at.client.get_run(run.info.run_id)
            if (status := _settled(at, run)) is None:
                return None
            events = journal.making_events(at.root, train_key, run_key)
            set_status(at, run, status, events[-1].time)
    except LockedError:
        return None  # who publishes to it says how it is
    gone = "its process is gone" if journal.outcome(events) is None else "its process ended unseen"
    return f"MLflow run {run.info.run_name!r} said {run.info.status}, but {gone}: now {status}"


def _settled(at: Connection, run: "Run") -> Status | None:
    """Status due to an unfinished run of this clone; None where it has it, or where a process is at work."""
    events = journal.making_events(at.root, *keys(run))
    starts = [gathering.machine_tags(event.facts) for event in events if event.kind is Kind.START]
    if run.info.status not in UNFINISHED or not starts or not is_of_one_of(run, starts):
        return None
    if journal.is_making(at.root, *keys(run)):
        return None
    status = gathering.settled_status(events)
    return None if status == run.info.status else status
