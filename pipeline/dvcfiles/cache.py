"""Finds DVC's cache and the bytes in it by their MD5, from DVC's own config files, without importing DVC."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from mnistgan.errors import FormatError


def place(root: Path, digest: str) -> Path:
    """Path at which the cache of the repository at ``root`` has, or would have, the bytes of an MD5.

    Raises FormatError where one of DVC's config files can't be read.
    """
    return folder(root) / "files" / "md5" / digest[:2] / digest[2:]


def folder(root: Path) -> Path:
    """The cache's folder: ``.dvc/cache``, unless ``dvc cache dir`` moved it for this clone, this project or all."""
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
        if told := _cache_of(path).get("dir"):
            return Path(os.path.abspath(path.parent / os.path.expanduser(told)))  # noqa: PTH100, PTH111 - no link followed, no ~nobody refused
    return None


def _cache_of(path: Path) -> dict[str, Any]:
    from configobj import ConfigObj, ConfigObjError

    try:
        sections = ConfigObj(str(path), encoding="utf-8").dict()
    except (ConfigObjError, UnicodeDecodeError, OSError) as error:
        raise FormatError(f"{path}: not a config file of DVC: {error}") from error
    found = [section for name, section in sections.items() if name.lower() == "cache" and isinstance(section, dict)]
    return {key.lower(): value for section in found for key, value in section.items()}
