"""Makes MLflow's SQLite file, whole or not at all, sees that nobody else holds it, and follows its folder's moves."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from mnistgan.errors import TrackingError
from mnistgan.files import replacing
from pipeline.tracking.address import STORE, database, sqlite_address, sqlite_file, uri

ARTIFACTS = "artifacts"
"""The folder beside the database that holds the runs' files."""
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""The columns in which MLflow keeps where files are, as URLs or as paths."""
LOCKED_SECONDS = 3.0
"""How long a database that another process holds is waited for; MLflow itself tries for 20 s at each call."""
CREATING_SECONDS = 30.0


@contextmanager
def creating(root: Path) -> Iterator[None]:
    """Lets one process alone make the store: a client's first use makes tables, which two at once get wrong."""
    (root / STORE).mkdir(parents=True, exist_ok=True)
    with FileLock(root / STORE / ".creating.lock", timeout=CREATING_SECONDS):
        if file := sqlite_file(uri(root)):
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                _check_not_locked(file)
            elif file == database(root):
                _make_database(file)
            if file == database(root):
                follow(file, root / STORE)
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


def follow(database: Path, store: Path) -> None:
    """Makes a store that lies in ``store`` look for its files there, if it is made yet. Raises sqlite3.Error."""
    if not database.exists():
        return
    now = store.resolve()
    with closing(sqlite3.connect(database)) as connection, connection:
        for old in _former_stores(connection, now):
            for before, after in ((f"{old.as_uri()}/", f"{now.as_uri()}/"), (f"{old}/", f"{now}/")):
                for table, column in PLACES:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                        (after, len(before) + 1, len(before), before),
                    )


def _former_stores(connection: sqlite3.Connection, store: Path) -> Iterator[Path]:
    """Lists where stores were whose experiments keep their files in a folder beside the database."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return
    for (location,) in connection.execute("SELECT artifact_location FROM experiments").fetchall():
        kept = folder(location or "")
        if kept and kept.name == ARTIFACTS and kept.parent.name == store.name and kept.parent != store:
            yield kept.parent


def folder(place: str) -> Path | None:
    """Turns an address into a folder of this machine; None elsewhere."""
    address = urlsplit(place)
    if not place or address.scheme not in ("", "file"):
        return None
    return Path(unquote(address.path) if address.scheme else place)
