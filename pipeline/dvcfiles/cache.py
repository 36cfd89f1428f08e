"""Finds in DVC's cache the bytes that dvc.lock records, and what stages ran; without importing DVC.

Private parts of DVC stand here, as SEEN_IN has them: how the cache and its listings of folders are laid out.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.errors import DataError, FormatError
from pipeline.dvcfiles import digests, layout

SEEN_IN = "3.67"
_FOLDER = ".dir"


def place(digest: str) -> Path:
    """Path at which DVC's cache has, or would have, the bytes of an MD5.

    Raises FormatError where one of DVC's config files can't be read.
    """
    return folder() / "files" / "md5" / digest[:2] / digest[2:]


def bring(path: str, digest: str, to: Path) -> None:
    """Copies the file or folder recorded with an MD5 to ``to``. Raises DataError where neither place has it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    here = Path(path)
    if digests.md5_if_there(here) == digest:
        if here.is_dir():
            shutil.copytree(here, to, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copyfile(here, to)
        return
    try:
        if not digest.endswith(_FOLDER):
            shutil.copyfile(place(digest), to)
            return
        for name, md5 in _listing(digest):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place(md5), to / name)
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: not here as {layout.LOCK} records it, nor in DVC's cache; run `dvc checkout` or `dvc pull`"
        ) from error


def files_of(path: str, digest: str) -> Iterator[tuple[str, str]]:
    """Lists a recorded out's files with their MD5s; a folder's are read in DVC's cache, none where it lacks them."""
    yield path, digest
    if digest.endswith(_FOLDER) and place(digest).is_file():
        for name, md5 in _listing(digest):
            yield f"{path}/{name}", md5


def runs() -> Iterator[str]:
    """Yields the texts of the run cache, one for each run of a stage: the stage as dvc.lock would have it, alone.

    Those that can't be read are left out. Raises FormatError where one of DVC's config files can't be read.
    """
    for file in (folder() / "runs").glob("*/*/*"):
        with suppress(OSError, FormatError):
            yield reading.text(file)


def folder() -> Path:
    """The cache's folder: ``.dvc/cache``, unless ``dvc cache dir`` moved it for this clone, this project or all."""
    root = layout.main_root()
    written = tuple((path, path.stat().st_mtime_ns) for path in _configs(root) if path.is_file())
    return _named(written) or root / ".dvc" / "cache"


def _configs(root: Path) -> list[Path]:
    """Reads DVC's config files, the one that decides first."""
    import platformdirs

    everyones = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir("dvc", "iterative")
    own = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir("dvc", "iterative")
    return [root / ".dvc" / "config.local", root / ".dvc" / "config", Path(own) / "config", Path(everyones) / "config"]


@lru_cache(maxsize=16)
def _named(written: tuple[tuple[Path, int], ...]) -> Path | None:
    for path, _ in written:
        if told := _section(path, "cache").get("dir"):
            return Path(os.path.abspath(path.parent / os.path.expanduser(told)))  # noqa: PTH100, PTH111 - no link followed, no ~nobody refused
    return None


def has_remote() -> bool:
    """Whether a remote is set to which DVC pushes. Raises FormatError where a config file can't be read."""
    return any(_section(path, "core").get("remote") for path in _configs(layout.main_root()) if path.is_file())


def share(clone: Path) -> None:
    """Has another clone use this one's cache, and what is set for this one alone; a remote's path is made absolute."""
    from configobj import ConfigObj

    here = layout.main_root() / ".dvc"
    settings = ConfigObj(encoding="utf-8", default_encoding="utf-8")
    for file in (here / "config", here / "config.local"):
        settings.merge(_parsed(file))
    for section in settings.values():
        if (url := section.get("url")) and "://" not in url:
            section["url"] = os.path.abspath(here / url)  # noqa: PTH100 - no link followed
    settings.setdefault("cache", {})["dir"] = str(folder())
    settings.filename = str(clone / ".dvc" / "config.local")
    settings.write()


def _section(path: Path, wanted: str) -> dict[str, Any]:
    """Reads a section of one of DVC's config files; several of one name as one."""
    sections = _parsed(path).items()
    found = [section for name, section in sections if name.lower() == wanted and isinstance(section, dict)]
    return {key.lower(): value for section in found for key, value in section.items()}


def _parsed(path: Path) -> dict[str, Any]:
    from configobj import ConfigObj, ConfigObjError

    try:
        found: dict[str, Any] = ConfigObj(str(path), encoding="utf-8").dict()
    except (ConfigObjError, UnicodeDecodeError, OSError) as error:
        raise FormatError(f"{path}: not a config file of DVC: {error}") from error
    return found


def _listing(digest: str) -> list[tuple[str, str]]:
    """Reads the files of a folder and their MD5s from DVC's cache. Raises FormatError where that list is torn."""
    try:
        return [(str(entry["relpath"]), str(entry["md5"])) for entry in json.loads(place(digest).read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{place(digest)}: no list of a folder; delete it, then `dvc repro`") from error
