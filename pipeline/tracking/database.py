"""Makes MLflow's SQLite file, whole or not at all, and sees that nobody else holds it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mnistgan.errors import TrackingError
from mnistgan.files import replacing
from pipeline.tracking import relocation
from pipeline.tracking.address import STORE, database, sqlite_address, sqlite_file, uri
from pipeline.tracking.relocation import ARTIFACTS

LOCKED_SECONDS = 3.0
"""How long a database that another process holds is waited for; MLflow itself tries for 20 s at each call."""
CREATING_SECONDS = 30.0


@contextmanager
def creating(root: Path) -> Iterator[None]:
    """Lets one process alone make the store: a client's first use makes tables, which two at once get wrong."""
    from filelock import FileLock

    (root / STORE).mkdir(parents=True, exist_ok=True)
    with FileLock(root / STORE / ".creating.lock", timeout=CREATING_SECONDS):
        if file := sqlite_file(uri(root)):
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                _check_not_locked(file)
            elif file == database(root):
                _make_database(file)
            if file == database(root):
                relocation.follow(file, root / STORE)
        yield


def _make_database(path: Path) -> None:
    """Makes MLflow's SQLite file beside and renames it: one whose making was cut off can never be used again."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for cut_off in path.parent.glob(f".{path.name}.*"):
        cut_off.unlink()
    with replacing(path) as beside:
        made = SqlAlchemyStore(sqlite_address(beside), (path.parent / ARTIFACTS).as_uri())  # type: ignore[no-untyped-call]
        made.engine.dispose()


def is_read_only(file: Path | None) -> bool:
    """Whether a database is there and may be read alone; SQLite writes beside it too."""
    return file is not None and file.exists() and not all(os.access(path, os.W_OK) for path in (file, file.parent))


def _check_not_locked(file: Path) -> None:
    """Raises TrackingError where another process holds an SQLite file for longer than writing takes."""
    with closing(sqlite3.connect(file, timeout=LOCKED_SECONDS)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise TrackingError(f"MLflow's store can't be used: {file} is locked by another process") from error
