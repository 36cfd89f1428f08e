"""Fetches the bytes that dvc.lock records from the workspace, or from DVC's cache beside it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from mnistgan.errors import DataError, FormatError
from pipeline.dvcfiles import cache, digests, layout

_FOLDER = ".dir"


def bring(path: str, digest: str, to: Path, workspace: Path = Path()) -> None:
    """Copies the file or folder recorded with an MD5 to ``to``. Raises DataError where neither place has it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    here = workspace / path
    if here.exists() and digests.md5_of(here, workspace) == digest:
        if here.is_dir():
            shutil.copytree(here, to, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copyfile(here, to)
        return
    try:
        if not digest.endswith(_FOLDER):
            shutil.copyfile(cached(digest), to)
            return
        for name, md5 in _listing(digest):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cached(md5), to / name)
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: not here as {layout.LOCK} records it, nor in DVC's cache; run `dvc checkout` or `dvc pull`"
        ) from error


def files_of(path: str, digest: str) -> Iterator[tuple[str, str]]:
    """Lists a recorded out's files with their MD5s; a folder's are read in DVC's cache, none where it lacks them."""
    yield path, digest
    if digest.endswith(_FOLDER) and cached(digest).is_file():
        for name, md5 in _listing(digest):
            yield f"{path}/{name}", md5


def cached(digest: str) -> Path:
    """Path at which DVC's cache has, or would have, the bytes of an MD5."""
    return cache.place(layout.main_root(), digest)


def _listing(digest: str) -> list[tuple[str, str]]:
    """Reads the files of a folder and their MD5s from DVC's cache. Raises FormatError where that list is torn."""
    try:
        return [(str(entry["relpath"]), str(entry["md5"])) for entry in json.loads(cached(digest).read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{cached(digest)}: no list of a folder; delete it, then `dvc repro`") from error
