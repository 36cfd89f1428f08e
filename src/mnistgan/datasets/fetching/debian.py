"""Reads files from a Debian package by apt, which knows the machine's mirrors; nothing is installed."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mnistgan.datasets.fetching.limits import PATIENCE, Patience, gunzip, packed_limit
from mnistgan.errors import SourceError

_PACKED_LIMIT = 64 * 1024**2
_UNPACKED_LIMIT = 256 * 1024**2
_REASON_CHARACTERS = 200


def read(package: str, sizes: Mapping[str, int], patience: Patience = PATIENCE) -> dict[str, bytes]:
    """Fetches ``package`` and returns those of the files that it has, unpacked, plain or .gz, in whatever folder.

    ``sizes``: bytes of each file wanted, by name. Raises SourceError where there is no apt, it knows no such package or
    does not answer, and FormatError or SourceError where the package is broken or too large.
    """
    with tempfile.TemporaryDirectory(prefix="mnistgan-debian-") as place:
        _run("apt-get", "download", "--quiet", package, place=place, seconds=patience.file)
        archives = list(Path(place).glob("*.deb"))
        if len(archives) != 1 or archives[0].stat().st_size > _PACKED_LIMIT:
            raise SourceError(f"{package}: apt-get left {len(archives)} packages of {_PACKED_LIMIT:,} bytes at most")
        content = _run("dpkg-deb", "--fsys-tarfile", archives[0].name, place=place, seconds=patience.file)
        return _members(content, package, sizes)


def _run(program: str, *arguments: str, place: str, seconds: float) -> bytes:
    found = shutil.which(program)
    if found is None:
        raise SourceError(f"{program} is not here: this is no Debian, nor one of its kin")
    try:
        done = subprocess.run(  # noqa: S603 - the package's name was matched, and no shell reads it
            [found, *arguments], cwd=place, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{program} had not done within {seconds:g} s") from error
    except OSError as error:
        raise SourceError(f"{program} can't be run: {error}") from error
    if done.returncode:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if not line.startswith("W:")]
        raise SourceError(f"{program} failed: {next(iter(said), 'it gave no reason')[:_REASON_CHARACTERS]}")
    return done.stdout


def _members(content: bytes, package: str, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """Those plain files of an archive that have one of the names, .gz or not."""
    if len(content) > _UNPACKED_LIMIT:
        raise SourceError(f"{package}: unpacks to more than {_UNPACKED_LIMIT:,} bytes")
    packed: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                size = sizes.get(name.removesuffix(".gz"))
                if size is not None and member.isreg() and member.size <= packed_limit(size):
                    packed[name] = content[member.offset_data : member.offset_data + member.size]
    except Exception as error:  # tarfile raises more than its own kinds, RecursionError among them
        raise SourceError(f"{package}: a broken package: {error}") from error
    unpacked = {name.removesuffix(".gz"): (name, held) for name, held in packed.items()}
    return {
        name: gunzip(held, inner, sizes[name]) if inner.endswith(".gz") else held
        for name, (inner, held) in unpacked.items()
    }
