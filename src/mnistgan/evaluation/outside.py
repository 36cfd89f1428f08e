"""Images from outside, checked before they are loaded, so that anybody's generator can be measured by the rulers.

Taken: ``.npy``; ``.npz`` with one array, or one named ``images``; a folder of PNG files. Nothing is unpickled, and
no more of a file is read than the images asked for.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from mnistgan.errors import DataError, FormatError
from mnistgan.progress import Progress, silent

TAKEN = "uint8 in 0..255 or float in 0..1 or -1..1, shaped [N, 28, 28], [N, 28, 28, 1] or [N, 1, 28, 28]"
IMAGE_SHAPES = {(28, 28), (28, 28, 1), (1, 28, 28)}
HAIR, HALF = 0.01, 0.5  # below 0: what rounding leaves of 0..1, and what some pixel of -1..1 falls below
LARGEST_PNG = 100_000  # bytes; 28 x 28 pixels take some 3,000 at most


def read(path: Path, count: int, progress: Progress = silent) -> np.ndarray:
    """The first ``count`` images of a file or folder, uint8 [count, 28, 28].

    A folder's files are taken in the order of their names. Raises DataError where there are no or too few images,
    FormatError where a shape, a dtype, a range or a file's own structure is not as taken.
    """
    if path.is_dir():
        return _read_folder(path, count, progress)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder; takes .npy, .npz or a folder of PNG files")
    if path.suffix not in {".npy", ".npz"}:
        raise FormatError(f"{path}: takes .npy, .npz or a folder of PNG files")
    try:
        with _stream(path) as (stream, where):
            return _to_uint8(_read_rows(stream, count, where), where)
    except DataError:
        raise
    except Exception as error:  # zipfile and what unpacks for it raise a dozen kinds
        raise FormatError(f"{path}: can't be read: {error}") from error


@contextmanager
def _stream(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """The NPY bytes of a file, or of the one member of an NPZ that holds the images; and what to call them."""
    if path.suffix == ".npy":
        with path.open("rb") as file:
            yield file, str(path)
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        name = "images.npy" if "images.npy" in names else names[0] if len(names) == 1 else None
        if name is None:
            held = ", ".join(names[:8]) or "nothing"
            raise FormatError(f"{path}: holds {held}; takes one array, or one named images")
        with archive.open(name) as member:
            yield member, f"{path}[{name.removesuffix('.npy')}]"


def _read_rows(stream: IO[bytes], count: int, where: str) -> np.ndarray:
    """The first rows of an NPY stream, whose header is checked before any of them is read."""
    shape, fortran, dtype = _header(stream, where)
    if dtype != np.uint8 and dtype.kind != "f":
        raise FormatError(f"{where}: dtype is {dtype}; takes {TAKEN}")
    if shape[1:] not in IMAGE_SHAPES:
        raise FormatError(f"{where}: shape is {list(shape)}; takes {TAKEN}")
    if fortran:
        raise FormatError(f"{where}: is in Fortran order; save np.ascontiguousarray(images)")
    if shape[0] < count:
        raise _too_few(where, shape[0], count)
    size = count * 28 * 28 * dtype.itemsize
    content = stream.read(size)
    if len(content) != size:
        raise FormatError(f"{where}: ends after {len(content)} bytes of the first {count} images; expected {size}")
    return np.frombuffer(content, dtype).reshape(count, 28, 28)


def _header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(stream)
        if version not in readers:
            raise ValueError(f"version {version} of the format")
        return readers[version](stream)
    except ValueError as error:
        raise FormatError(f"{where}: not an NPY array: {error}") from error


def _to_uint8(images: np.ndarray, where: str) -> np.ndarray:
    if images.dtype == np.uint8:
        return images.copy()
    if not np.isfinite(images).all():
        raise FormatError(f"{where}: holds NaN or infinite pixels; takes {TAKEN}")
    low, high = float(images.min()), float(images.max())
    if low < -1 or high > 1:
        raise FormatError(f"{where}: floats from {low:g} to {high:g}; takes {TAKEN}")
    if -HALF < low < -HAIR:
        raise FormatError(f"{where}: floats from {low:g} to {high:g}, neither 0..1 nor -1..1; takes {TAKEN}")
    values = images.astype(np.float64)
    unit = np.clip(values, 0.0, 1.0) if low >= -HAIR else (values + 1.0) / 2.0
    return np.rint(unit * 255.0).astype(np.uint8)


def _read_folder(path: Path, count: int, progress: Progress) -> np.ndarray:
    names = sorted(file for file in path.iterdir() if file.suffix.lower() == ".png")
    if len(names) < count:
        raise _too_few(f"{path} (*.png)", len(names), count)
    images = np.empty((count, 28, 28), np.uint8)
    for index, name in enumerate(names[:count]):
        if index % 500 == 0:
            progress("reading PNG", index, count)
        images[index] = _read_png(name)
    progress("reading PNG", count, count)
    return images


def _read_png(path: Path) -> np.ndarray:
    from PIL import Image

    if path.stat().st_size > LARGEST_PNG:
        raise FormatError(f"{path}: {path.stat().st_size} bytes; a PNG of 28 x 28 pixels has less than {LARGEST_PNG}")
    try:
        with Image.open(path, formats=["PNG"]) as image:  # reads the header alone
            if image.size != (28, 28) or image.mode not in {"L", "RGB"}:
                size = f"{image.size[0]} x {image.size[1]}"
                raise FormatError(f"{path}: {size} pixels, mode {image.mode}; takes 28 x 28, mode L or RGB")
            return np.asarray(image.convert("L"))
    except FormatError:
        raise
    except Exception as error:  # Pillow's own dozen kinds: on a torn file, one bomb or another
        raise FormatError(f"{path}: not a whole PNG: {error}") from error


def _too_few(where: str, got: int, needed: int) -> DataError:
    return DataError(f"{where}: {got} images; needs {needed}, the `evaluate.samples` of params.yaml")
