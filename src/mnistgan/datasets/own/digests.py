"""Holds a folder's files to their digests: those on a list, or those that they had when first opened."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mnistgan.errors import DataError, DigestError
from mnistgan.reading import demand_plain


class Digests:
    """Each opened file's sha256 by its path from ``root``.

    ``listed`` are those that they must have, as the file ``source`` says; without it a file must only stay the same.
    """

    def __init__(self, root: Path, listed: Mapping[str, str] | None = None, source: str = ""):
        self.root = root
        self.source = source
        self.listed = listed
        self.found: dict[str, str] = {}

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """Opens a file of the listed bytes. Raises DataError unless it then stays as it is until closed."""
        place = self.root / path
        demand_plain(place, DataError)
        with place.open("rb") as file:
            before = _state(file)
            self._hold(path, hashlib.file_digest(file, "sha256").hexdigest())
            file.seek(0)
            yield file
            self._demand_still(path, before, file)

    def read(self, path: str, most: int) -> bytes:
        """Reads a whole file of at most ``most`` bytes, likewise."""
        place = self.root / path
        demand_plain(place, DataError)
        with place.open("rb") as file:
            before = _state(file)
            content = file.read(most + 1)
            if len(content) > most:
                raise DataError(f"{place}: larger than {most:,} bytes")
            self._demand_still(path, before, file)
        self._hold(path, hashlib.sha256(content).hexdigest())
        return content

    def _hold(self, path: str, digest: str) -> None:
        due = self.listed.get(path) if self.listed is not None else None
        if due and due != digest:
            raise DigestError(
                f"{self.root}/{path}: not the file that {self.source} lists: sha256 {digest[:12]}…, not {due[:12]}…"
            )
        if self.found.setdefault(path, digest) != digest:
            raise DataError(_changed(self.root, path))

    def _demand_still(self, path: str, before: tuple[int, ...], file: BinaryIO) -> None:
        if _state(file) != before or (self.root / path).stat().st_ino != before[0]:
            raise DataError(_changed(self.root, path))


def _state(file: BinaryIO) -> tuple[int, ...]:
    stat = os.fstat(file.fileno())
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _changed(root: Path, path: str) -> str:
    return f"{root}/{path}: changed while it was read; try again once nothing writes to the folder"
