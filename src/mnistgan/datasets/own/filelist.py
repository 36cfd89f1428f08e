"""The list of a folder's files: a line each of sha256, two spaces and path, as `sha256sum -c` reads it."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from mnistgan.datasets.own.folder import Listing
from mnistgan.errors import DataError, DigestError, FormatError
from mnistgan.reading import content

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
