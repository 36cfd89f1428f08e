"""Reads images and labels out of NPY, NPZ and IDX files, a piece at a time, so that memory stays bounded."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import numpy as np

from mnistgan.datasets import idx, npy
from mnistgan.datasets.fetching.limits import gunzip
from mnistgan.datasets.own.folder import MOST_IMAGES
from mnistgan.datasets.own.pictures import LONGEST_SIDE
from mnistgan.errors import DataError, FormatError

PIECE = 8_000_000  # bytes of an array that are held at once
TAKEN = "takes uint8 of 0..255 or floats of 0..1, shaped [N, H, W], [N, H, W, 1] or, with --grey, [N, H, W, 3]"
_MOST_IDX = 16 + MOST_IMAGES * 28 * 28
_MENDS = {"b": "save images * np.uint8(255)", "i": "save images.astype(np.uint8) if they are 0..255"}


def count(file: BinaryIO, path: str, where: str) -> int:
    """Counts the images of a file. Raises FormatError where they are none that can be taken."""
    if _is_idx(path):
        return len(idx.parse_images(_idx(file, path, where), where))
    with _array(file, path, "images", where) as (stream, size):
        return _images_header(stream, size, where)[0][0]


def labels(file: BinaryIO, path: str, where: str) -> np.ndarray | None:
    """Reads the labels of a file, whole numbers [N] of 0 or more; None for an NPZ without any. Raises FormatError."""
    if _is_idx(path):
        return idx.parse_labels(_idx(file, path, where), where)
    if path.endswith(".npz") and "labels.npy" not in zipfile.ZipFile(file).namelist():
        return None
    with _array(file, path, "labels", where) as (stream, size):
        shape, dtype, start = npy.header(stream, where)
        if len(shape) != 1 or dtype.kind not in "iu":
            raise FormatError(f"{where}: labels are {dtype} {list(shape)}; takes whole numbers [N]")
        _demand_whole(where, shape[0], dtype.itemsize, size - start)
        stream.seek(start)
        found = np.frombuffer(stream.read(shape[0] * dtype.itemsize), dtype)
    if len(found) and found.min() < 0:
        raise FormatError(f"{where}: label {int(found.argmin())} is {found.min()}; labels are 0 to K - 1")
    return found


def pieces(file: BinaryIO, path: str, where: str, grey: bool) -> Iterator[np.ndarray]:
    """Reads the images of a file piece by piece: grey uint8 [n, H, W]. Raises FormatError as what it meets demands."""
    if _is_idx(path):
        yield idx.parse_images(_idx(file, path, where), where)
        return
    with _array(file, path, "images", where) as (stream, size):
        shape, dtype, start = _images_header(stream, size, where)
        row = int(np.prod(shape[1:])) * dtype.itemsize
        at_once = max(1, PIECE // row)
        stream.seek(start)
        for first in range(0, shape[0], at_once):
            content = stream.read(min(at_once, shape[0] - first) * row)
            yield _grey(_uint8(np.frombuffer(content, dtype).reshape(-1, *shape[1:]), where, first), where, grey)


def _is_idx(path: str) -> bool:
    return not path.endswith((".npy", ".npz"))


def _idx(file: BinaryIO, path: str, where: str) -> bytes:
    content = file.read(_MOST_IDX + 1)
    if len(content) > _MOST_IDX:
        raise DataError(f"{where}: larger than {MOST_IMAGES:,} images of 28x28 are")
    return gunzip(content, where, _MOST_IDX) if path.endswith(".gz") else content


@contextmanager
def _array(file: BinaryIO, path: str, name: str, where: str) -> Iterator[tuple[IO[bytes], int]]:
    """Opens the NPY bytes of a file or of an NPZ's member, with their number."""
    if path.endswith(".npy"):
        yield file, file.seek(0, 2)
        return
    try:
        with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
            yield member, archive.getinfo(f"{name}.npy").file_size
    except KeyError as error:
        raise FormatError(f"{where}: holds no array named {name}; takes images and, if any, labels") from error
    except DataError:
        raise
    except Exception as error:  # zipfile and what unpacks for it raise a dozen kinds
        raise FormatError(f"{where}: not a whole NPZ: {error}") from error


def _images_header(stream: IO[bytes], size: int, where: str) -> tuple[tuple[int, ...], np.dtype, int]:
    """Reads the header of images. Raises FormatError for a shape or a dtype that is not taken, or an end too soon."""
    shape, dtype, start = npy.header(stream, where)
    if dtype.kind in "iu" and dtype.itemsize == 2:
        raise FormatError(f"{where}: 16 bits a pixel; takes 8: which of them count is for you to say")
    if dtype != np.uint8 and dtype.kind != "f":
        raise FormatError(f"{where}: dtype is {dtype}; {TAKEN}; {_MENDS.get(dtype.kind, _MENDS['i'])}")
    if len(shape) == 4 and shape[3] in (2, 4):
        raise FormatError(f"{where}: shape is {list(shape)}, with an alpha channel; {TAKEN}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        hint = "; save images.reshape(-1, 28, 28)" if shape[1:] == (28 * 28,) else ""
        raise FormatError(f"{where}: shape is {list(shape)}; {TAKEN}{hint}")
    if not 0 < shape[0] <= MOST_IMAGES or not 0 < min(shape[1:3]) <= max(shape[1:3]) <= LONGEST_SIDE:
        raise FormatError(
            f"{where}: shape is {list(shape)}; takes 1 to {MOST_IMAGES:,} images of 1 to {LONGEST_SIDE} pixels a side"
        )
    _demand_whole(where, shape[0], int(np.prod(shape[1:])) * dtype.itemsize, size - start)
    return shape, dtype, start


def _demand_whole(where: str, rows: int, row: int, got: int) -> None:
    if got != rows * row:
        raise FormatError(f"{where}: {max(0, got):,} bytes after its header; its {rows:,} rows are {rows * row:,}")


def _uint8(rows: np.ndarray, where: str, first: int) -> np.ndarray:
    if rows.dtype == np.uint8:
        return rows
    low, high = rows.min(), rows.max()
    if not (low >= 0 and high <= 1):  # NaN is neither
        wrong = int(np.flatnonzero(~((rows >= 0) & (rows <= 1)).reshape(len(rows), -1).all(axis=1))[0])
        got = (
            "holds NaN or infinite pixels" if not np.isfinite(rows[wrong]).all() else f"floats from {low!s} to {high!s}"
        )
        hint = "; save (images + 1) / 2 if they are -1..1" if low >= -1 and high <= 1 else ""
        raise FormatError(f"{where}: image {first + wrong}: {got}; {TAKEN}{hint}")
    return np.rint(rows.astype(np.float64) * 255.0).astype(np.uint8)


def _grey(rows: np.ndarray, where: str, grey: bool) -> np.ndarray:
    if rows.ndim == 3:
        return rows
    if rows.shape[3] == 1:
        return rows[..., 0]
    if not grey:
        raise FormatError(f"{where}: in colour ({list(rows.shape[1:])} an image); --grey makes all grey")
    # ITU-R 601 in whole numbers, as Pillow has it for pictures.
    red, green, blue = (rows[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
