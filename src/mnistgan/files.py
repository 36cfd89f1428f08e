"""Writes files atomically (beside, then renamed), so that a reader sees the old bytes or the new ones, never half."""

import errno
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mnistgan import reading
from mnistgan.errors import DataError, FormatError

MEMBER_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP can name


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; renames it over ``path`` if the block succeeds, else removes it."""
    if path.is_dir():  # known now, not once others of replacing_all are renamed
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        if error.filename in (None, str(beside)):  # a full disk is told by a write, which names no file
            error.filename = str(path)
        raise
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Gives an empty folder beside ``path``; swaps it in for ``path`` if the block succeeds, else removes it."""
    if path.exists() and (not path.is_dir() or path.is_mount()):  # known now, not once files are renamed
        raise NotADirectoryError(errno.ENOTDIR, "no folder that can be swapped", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as beside:
        fresh, old = Path(beside) / "new", Path(beside) / "old"
        fresh.mkdir()
        yield fresh
        if path.exists():
            path.rename(old)
        try:
            fresh.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise


@contextmanager
def replacing_all(*paths: Path, folders: Sequence[Path] = ()) -> Iterator[dict[Path, Path]]:
    """Does the same for several files and whole folders, by path: where one can't be written, all stay as they were."""
    with ExitStack() as stack:
        beside = {path: stack.enter_context(replacing_folder(path)) for path in folders}
        yield beside | {path: stack.enter_context(replacing(path)) for path in paths}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, content: bytes) -> None:
    """Writes ``content`` to ``path`` in one rename."""
    with replacing(path) as beside:
        beside.write_bytes(content)


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Writes several files, all or none."""
    with replacing_all(*contents) as beside:
        for path, content in contents.items():
            beside[path].write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Writes ``content`` as JSON: keys in the order given, UTF-8, a newline at the end, NaN refused."""
    write_bytes(path, as_json(content))


def as_json(content: Any) -> bytes:
    """The text that :func:`write_json` writes."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """Reads a JSON file. Raises DataError when it is missing and FormatError when it does not parse."""
    try:
        return reading.json_document(reading.content(path), str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise FormatError(f"{path}: can't be read: {error.strerror}") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays as an uncompressed NPZ. The same arrays give the same bytes, whatever Python writes them.

    ``numpy.savez`` does not promise that: it streams its members, and what Python puts before a streamed one changed
    within 3.11.
    """
    with replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=MEMBER_DATE)
            member.external_attr = 0o644 << 16
            archive.writestr(member, _npy(array))


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads every array of an NPZ, never unpickling.

    Raises DataError when it is missing and FormatError when it is truncated, corrupt (each member has a CRC), holds
    what is no array, or unpacks to more bytes than it has: arrays are kept uncompressed here.
    """
    try:
        reading.demand_plain(path)
        with path.open("rb") as file, np.load(_zipped(file), allow_pickle=False) as archive:
            found = dict(_members(archive, path.stat().st_size))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except FormatError:
        raise
    except Exception as error:  # NumPy, zipfile and what unpacks for them raise a dozen kinds, MemoryError among them
        raise FormatError(f"{path}: not a whole NPZ of plain arrays: {_reason(error)}") from error
    return found


def _zipped(file: BinaryIO) -> BinaryIO:
    """Returns the file, at its beginning. Raises ValueError where it is no ZIP, which NumPy would call a pickle."""
    if (head := file.read(4))[:2] != b"PK":
        raise ValueError(f"begins with {head!r}, not as a ZIP does")
    file.seek(0)
    return file


def _reason(error: Exception) -> str:
    """An error's text, without NumPy's advice to unpickle what it refuses."""
    said = str(error) or type(error).__name__
    return "holds Python objects, which are never unpickled" if "pickle" in said else said


def _members(archive: Any, size: int) -> Iterator[tuple[str, np.ndarray]]:
    unpacked = sum(member.file_size for member in archive.zip.infolist())
    if unpacked > size:
        raise ValueError(f"unpacks to {unpacked:,} bytes, more than the {size:,} that it has; save it uncompressed")
    for name in archive.files:
        array = archive[name]
        if not isinstance(array, np.ndarray):  # NumPy hands out the bytes of any other file
            raise ValueError(f"{name} is no array")
        yield name, array


def sha256(path: Path) -> str:
    """Hex sha256 of a plain file's bytes."""
    reading.demand_plain(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
