"""Finds MLflow's store: reads its address, makes it absolute and escapes it, here alone."""

import os
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mnistgan.errors import UsageError
from pipeline.runs.journal import without_secrets

VARIABLE = "MLFLOW_TRACKING_URI"
STORE = "mlruns"
DATABASE = "mlflow.db"
NO_FOLDER = "MLflow no longer takes a folder (`mlflow migrate-filestore` makes a database of one)"
TAKEN = "takes sqlite:///PATH of a database file, or http://HOST:PORT of an MLflow server"
_CLOUDS = ("databricks", "uc:", "arn:")


def uri(root: Path) -> str:
    """Address of MLflow's store: as MLFLOW_TRACKING_URI says, or the main repository's own. Raises UsageError."""
    given = os.environ.get(VARIABLE, "").strip()
    return absolute(given, root) if given else sqlite_address(database(root))


def database(root: Path) -> Path:
    """Path of the SQLite file, unless MLFLOW_TRACKING_URI names another store."""
    return root.resolve() / STORE / DATABASE


def is_yet_to_be_made(root: Path) -> bool:
    """Whether the store is the main repository's own, and nothing was published to it yet."""
    return sqlite_file(uri(root)) == database(root) and not database(root).exists()


def is_server(address: str) -> bool:
    """Whether a store is behind a server, which then says itself where artifacts go."""
    return address.lower().startswith(("http://", "https://"))


def absolute(address: str, root: Path) -> str:
    """Makes a store's address absolute: relative to the main repository, since an experiment's folder is deleted.

    Raises UsageError where it is no address, or of a store that would not outlive this process.
    """
    if address.startswith("sqlite"):
        url = _parsed(address)
        return sqlite_address(root.resolve() / str(url.database), url)
    if address.startswith(_CLOUDS) or ("://" in address and not address.startswith("file:")):
        return address
    is_folder = address.startswith("file:") or ":" not in address
    raise UsageError(f"{VARIABLE}={without_secrets(address)}: {f'{NO_FOLDER}; ' if is_folder else ''}{TAKEN}")


def sqlite_file(address: str) -> Path | None:
    """The file of an SQLite store, given its absolute address; None for any other store."""
    return Path(str(_parsed(address).database)) if address.startswith("sqlite") else None


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"{VARIABLE}={without_secrets(address)}: {TAKEN}") from error
    if url.host or url.username or not url.database or url.database.startswith((":memory:", "file:")):
        raise UsageError(f"{VARIABLE}={without_secrets(address)}: names no file; {TAKEN}")
    written = Path(address.partition(":///")[2])
    if ("?" in address and not url.query) or (written.parent.is_dir() and not Path(url.database).parent.is_dir()):
        raise UsageError(f"{VARIABLE}={address}: in a path, % is written %25, and ? is written %3F")
    return url


def sqlite_address(file: Path, options: URL | None = None) -> str:
    """The address of an SQLite file, by SQLAlchemy's own escapes."""
    try:
        url = URL.create("sqlite", database=str(file), query=options.query if options else {})
        address = url.render_as_string(hide_password=False)
    except UnicodeEncodeError as error:
        raise UsageError(f"{str(file)!r}: MLflow takes no path that is not UTF-8; rename the folder") from error
    if f":///{file}" in address:
        return address
    # Under the short name MLflow would make folders that are called as the path is escaped.
    return url.set(drivername="sqlite+pysqlite").render_as_string(hide_password=False)
