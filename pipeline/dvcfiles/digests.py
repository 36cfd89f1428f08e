"""Computes the MD5 of files and folders as DVC records it, without importing DVC."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from operator import itemgetter
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.errors import DataError
from pipeline.dvcfiles.layout import IGNORED


def md5(content: bytes) -> str:
    """The MD5 of a file's bytes, in hex."""
    return str(_new(content).hexdigest())


def md5_of(path: Path, workspace: Path = Path()) -> str:
    """Computes the MD5 of a file or folder exactly as DVC records it. Raises DataError when there is none.

    A folder's is that of the JSON list of its files' digests, sorted by path; names in .dvcignore are left out.
    """
    if path.is_file():
        with path.open("rb") as file:
            return str(hashlib.file_digest(file, _new).hexdigest())
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; run `dvc repro`")
    files = _files(path, _ignored_names(workspace))
    listing = [{"md5": md5_of(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    listing.sort(key=itemgetter("relpath"))
    return f"{md5(json.dumps(listing, sort_keys=True).encode())}.dir"


def md5_if_there(path: Path, workspace: Path = Path()) -> str | None:
    """Does the same as :func:`md5_of`; None where there is nothing."""
    return md5_of(path, workspace) if path.exists() else None


def _new(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)


def _files(folder: Path, ignored: Iterable[str]) -> Iterator[Path]:
    for entry in folder.iterdir():
        if any(fnmatch(entry.name, pattern) for pattern in ignored):
            continue
        if entry.is_dir():
            yield from _files(entry, ignored)
        else:
            yield entry


def _ignored_names(workspace: Path) -> list[str]:
    """The patterns of .dvcignore, which this project keeps to plain names."""
    try:
        lines = reading.text(workspace / IGNORED).splitlines()
    except FileNotFoundError:
        return []
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
