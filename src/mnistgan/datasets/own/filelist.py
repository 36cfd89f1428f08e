"""Holds a folder's files to a list of their digests, or to those that they had when first opened.

A line of the list is a sha256, two spaces and a path, as `sha256sum -c` reads it.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mnistgan.datasets.own.folder import Listing
from mnistgan.errors import DataError, DigestError, FormatError
from mnistgan.reading import content, demand_plain

FILE = "files.sha256"
MOST_BYTES = 300_000_000  # a million names of 200 letters
_LINE = re.compile(r"([0-9a-f]{64})  ([^\r\n]+)")


def text(digests: Mapping[str, str]) -> bytes:
    """Writes a list, by path."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def digest(digests: Mapping[str, str]) -> str:
    """The sha256 of a list."""
    return hashlib.sha256(text(digests)).hexdigest()


def read(path: Path, sha256: str) -> dict[str, str]:
    """Reads a list: digests by path. Raises DataError where it is missing, or not the one of that sha256."""
    try:
        held = content(path, MOST_BYTES)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; it is committed beside the data set's own") from error
    if hashlib.sha256(held).hexdigest() != sha256:
        raise DigestError(f"{path}: not the list that {path.with_name('dataset.yaml')} names; restore the two together")
    lines = [_LINE.fullmatch(line) for line in held.decode().split("\n")[:-1]]
    if None in lines:
        raise FormatError(f"{path}, line {lines.index(None) + 1}: takes a sha256, two spaces and a path")
    return {line[2]: line[1] for line in lines if line}


def demand_same_files(listing: Listing, listed: Mapping[str, str], source: Path) -> None:
    """Raises DataError that names the first file, by path, that the folder has and the list lacks, or the reverse."""
    there = {file.path for file in listing.files}
    differing = sorted(there ^ listed.keys())
    if differing:
        first, rest = differing[0], len(differing) - 1
        why = f"is not in {source}" if first in there else f"is missing, which {source} lists"
        raise DataError(f"{listing.root}/{first}: {why}{f'; {rest:,} more files differ' if rest else ''}")


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
    def opened(self, path: str, most: int | None = None) -> Iterator[BinaryIO]:
        """Opens a file of the listed bytes, ``most`` or fewer. Raises DataError unless it stays so until closed."""
        place = self.root / path
        demand_plain(place, DataError)
        with place.open("rb") as file:
            before = _state(file)
            if most is not None and before[1] > most:
                raise DataError(f"{place}: larger than {most:,} bytes")
            self._hold(path, hashlib.file_digest(file, "sha256").hexdigest())
            file.seek(0)
            yield file
            if _state(file) != before or place.stat().st_ino != before[0]:
                raise DataError(_changed(self.root, path))

    def _hold(self, path: str, digest: str) -> None:
        due = self.listed.get(path) if self.listed is not None else None
        if due and due != digest:
            raise DigestError(
                f"{self.root}/{path}: not the file that {self.source} lists: sha256 {digest[:12]}…, not {due[:12]}…"
            )
        if self.found.setdefault(path, digest) != digest:
            raise DataError(_changed(self.root, path))


def _state(file: BinaryIO) -> tuple[int, ...]:
    stat = os.fstat(file.fileno())
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _changed(root: Path, path: str) -> str:
    return f"{root}/{path}: changed while it was read; try again once nothing writes to the folder"
