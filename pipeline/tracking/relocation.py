"""Makes the absolute paths in MLflow's own store follow it after its folder was moved or copied."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

ARTIFACTS = "artifacts"
"""The folder beside the database that holds the runs' files."""
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""The columns in which MLflow keeps where files are, as URLs or as paths."""


def follow(database: Path, store: Path) -> None:
    """Makes an SQLite store that lies in ``store`` look for its files there; nothing where it does, or isn't made yet.

    Raises sqlite3.Error where the database can't be read or written.
    """
    if not database.exists():
        return
    now = store.resolve()
    with closing(sqlite3.connect(database)) as connection, connection:
        for old in _former_stores(connection, now):
            for before, after in ((old.as_uri(), now.as_uri()), (str(old), str(now))):
                _replace(connection, f"{before}/", f"{after}/")


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


def _replace(connection: sqlite3.Connection, before: str, after: str) -> None:
    """Puts ``after`` where a place begins with ``before``."""
    for table, column in PLACES:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
            (after, len(before) + 1, len(before), before),
        )
