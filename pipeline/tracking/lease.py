"""Lets one process at a time publish to a run: within a clone by a file's lock, across clones by a lease.

A lease is kept in the store itself. Each publisher writes a tag of its own into the experiment, then looks: who sees
none but its own may go on, who sees another's takes its own back and waits. Of two that came at once neither goes
on, and the one whose tag sorts first is the sooner to try again.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import TrackingError
from pipeline.runs import journal

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from pipeline.tracking.connection import Connection

PREFIX = "mnistgan.publishing."
LEASE_SECONDS = 600.0
"""After which a lease counts as left behind by a killed process; publishing a state takes a minute at most."""
WAIT_SECONDS = 20.0
FIRST_AGAIN_SECONDS, OTHERS_AGAIN_SECONDS = 0.1, 0.5


class LockedError(TrackingError):
    """Another process publishes to the same run."""


@contextmanager
def publishing(root: Path, run_key: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Lets one process of this clone publish to a key's runs. Raises LockedError where another does."""
    from filelock import FileLock, Timeout

    path = root / journal.FOLDER / f"{run_key}.publishing"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait_seconds):
            yield
    except Timeout as error:
        raise LockedError("another process publishes to this state's run; try again when it has ended") from error


@contextmanager
def held(at: "Connection", key: str) -> Iterator[None]:
    """Holds the lease by which this clone alone publishes under ``key``; :func:`publishing` sees to the clone itself.

    Raises TrackingError where another clone holds it too long.
    """
    prefix = f"{PREFIX}{key[:12]}."
    client, experiment, mine = at.client, at.experiment, prefix + at.clone
    try:
        _take(client, experiment, prefix, mine)
        yield
    except BaseException:  # Ctrl-C too: nobody publishes any more, so nobody is to wait
        with suppress(Exception):
            _give_back(client, experiment, mine)
        raise
    _give_back(client, experiment, mine)


def _take(client: "MlflowClient", experiment: str, prefix: str, mine: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        client.set_experiment_tag(experiment, mine, f"{time.time():.0f} {socket.gethostname()}")
        leases = {name: tag for name, tag in client.get_experiment(experiment).tags.items() if name.startswith(PREFIX)}
        for name in [name for name, tag in leases.items() if _is_left_behind(tag)]:
            _give_back(client, experiment, name)
            del leases[name]
        others = {name: tag for name, tag in leases.items() if name.startswith(prefix) and name != mine}
        if not others:
            return
        _give_back(client, experiment, mine)
        if time.monotonic() > until:
            host = next(iter(others.values())).partition(" ")[2]
            raise TrackingError(f"another clone, on {host}, publishes to this state's run; try again when it has ended")
        time.sleep(FIRST_AGAIN_SECONDS if mine < min(others) else OTHERS_AGAIN_SECONDS)


def _give_back(client: "MlflowClient", experiment: str, name: str) -> None:
    """Deletes a lease; it may be gone, since whoever looks deletes those left behind."""
    try:
        client.delete_experiment_tag(experiment, name)
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
            raise


def _is_left_behind(tag: str) -> bool:
    since = tag.partition(" ")[0]
    return not since.isdigit() or abs(time.time() - float(since)) >= LEASE_SECONDS
